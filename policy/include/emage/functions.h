
/*
 * Copyright (C) The e-mage authors
 *
 * The Redis function library of e-mage (the Lua of policy/consent), embedded:
 * the tools load it, every client checks its version on connect.
 */


#ifndef EMAGE_FUNCTIONS_H
#define EMAGE_FUNCTIONS_H


#include <emage/base.h>


/*
 * What emage_version must return.  Raised with every change of the library, so
 * that an old client and a new library never meet unnoticed.
 */

#define EMAGE_FUNCTIONS_VERSION  4
#define EMAGE_FUNCTIONS_NAME     "emage"

/* The text for FUNCTION LOAD; lives as long as the program. */

emage_str_t emage_functions_text(void);


#endif /* EMAGE_FUNCTIONS_H */
