
/*
 * Copyright (C) The e-mage authors
 *
 * The text of the Lua files, put into the object as it is.
 */


#include <emage/functions.h>


__asm__(
    ".pushsection .rodata\n"
    ".hidden emage_functions_begin\n"
    ".hidden emage_functions_end\n"
    ".globl emage_functions_begin\n"
    ".globl emage_functions_end\n"
    "emage_functions_begin:\n"
    ".incbin \"policy/consent/emage.lua\"\n"
    ".incbin \"policy/consent/candidates.lua\"\n"
    ".incbin \"policy/consent/session.lua\"\n"
    "emage_functions_end:\n"
    ".byte 0\n"
    ".popsection\n"
);


extern const char  emage_functions_begin[]
    __attribute__((visibility("hidden")));
extern const char  emage_functions_end[]
    __attribute__((visibility("hidden")));


emage_str_t
emage_functions_text(void)
{
    emage_str_t  text;

    text.data = emage_functions_begin;
    text.len = (size_t) (emage_functions_end - emage_functions_begin);

    return text;
}
