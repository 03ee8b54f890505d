/*
 * Copyright (C) The e-mage authors
 *
 * emage-policy format, to-json, from-json, link: policies written anew.
 */


#include "tool.h"


typedef enum {
    TOOL_TEXT = 0,
    TOOL_LINKED,
    TOOL_JSON
} tool_form_t;


static int tool_format_run(int argc, char **argv);
static int tool_to_json_run(int argc, char **argv);
static int tool_from_json_run(int argc, char **argv);
static int tool_link_run(int argc, char **argv);
static int tool_convert(int argc, char **argv, const char *name,
    tool_form_t form);
static bool tool_comment_lost(const cedar_set_t *set);


const tool_command_t  tool_format = {
    "format", tool_format_run,
    "usage: emage-policy format --policies FILE\n"
    "\n"
    "Writes the policies in one form to standard output.  Comments before a\n"
    "policy stay; a file with others is refused, as they would be lost.\n"
    "\n"
    "exit status: 0 written, 2 wrong use or unreadable input\n"
};

const tool_command_t  tool_to_json = {
    "to-json", tool_to_json_run,
    "usage: emage-policy to-json --policies FILE [--links FILE]\n"
    "\n"
    "Writes the policies in Cedar's JSON format to standard output.\n"
    "Comments are left out.\n"
    "\n"
    "exit status: 0 written, 2 wrong use or unreadable input\n"
};

const tool_command_t  tool_from_json = {
    "from-json", tool_from_json_run,
    "usage: emage-policy from-json --policies FILE.json\n"
    "\n"
    "Writes policies of Cedar's JSON format as text to standard output.\n"
    "An id that is no @id of the policy becomes one.\n"
    "\n"
    "exit status: 0 written, 2 wrong use or unreadable input\n"
};

const tool_command_t  tool_link = {
    "link", tool_link_run,
    "usage: emage-policy link --policies FILE --links FILE\n"
    "\n"
    "Fills the slots of templates, and writes what then decides, policies\n"
    "and links, as text to standard output.  The links: a JSON array of\n"
    "{\"template_id\", \"link_id\",\n"
    "    \"args\": {\"?principal\": \"User::\\\"ann\\\"\"}}.\n"
    "\n"
    "exit status: 0 written, 2 wrong use or unreadable input\n"
};


static int
tool_format_run(int argc, char **argv)
{
    return tool_convert(argc, argv, "format", TOOL_TEXT);
}


static int
tool_to_json_run(int argc, char **argv)
{
    return tool_convert(argc, argv, "to-json", TOOL_JSON);
}


static int
tool_from_json_run(int argc, char **argv)
{
    return tool_convert(argc, argv, "from-json", TOOL_TEXT);
}


static int
tool_link_run(int argc, char **argv)
{
    return tool_convert(argc, argv, "link", TOOL_LINKED);
}


/* Nothing is written unless all is: no partial answer. */

static int
tool_convert(int argc, char **argv, const char *name, tool_form_t form)
{
    bool            ok;
    const char     *policies, *links;
    emage_buf_t     b;
    cedar_set_t    *set;
    tool_option_t   options[] = {
        { "--policies", &policies, NULL },
        { "--links", &links, NULL }
    };

    policies = links = NULL;

    if (!tool_options(argc, argv, options, 2, NULL)) {
        return TOOL_USAGE;
    }

    if (policies == NULL || (form == TOOL_LINKED && links == NULL)) {
        fprintf(stderr, "emage-policy: %s needs --policies%s\n", name,
                form == TOOL_LINKED ? " and --links" : "");
        return TOOL_USAGE;
    }

    set = tool_set_files(policies, NULL, links);

    if (set == NULL || (form == TOOL_TEXT && tool_comment_lost(set))) {
        cedar_set_destroy(set);
        return TOOL_USAGE;
    }

    emage_buf_init(&b, TOOL_MAX_FILE);

    ok = ((form == TOOL_JSON)
          ? cedar_policies_json(set, &b)
          : cedar_policies_text(set, form == TOOL_LINKED, &b)) == EMAGE_OK;

    ok = ok && tool_write(name, &b);

    if (b.failed) {
        fprintf(stderr, "emage-policy: %s: more than %d bytes\n", name,
                TOOL_MAX_FILE);
    }

    emage_buf_free(&b);
    cedar_set_destroy(set);

    return ok ? TOOL_OK : TOOL_USAGE;
}


static bool
tool_comment_lost(const cedar_set_t *set)
{
    uint32_t     line, column;
    emage_str_t  file;

    if (!cedar_policies_comment(set, &file, &line, &column)) {
        return false;
    }

    fprintf(stderr, "%.*s:%u:%u: this comment would be lost; move it before "
            "its policy\n", (int) file.len, file.data, line, column);

    return true;
}
