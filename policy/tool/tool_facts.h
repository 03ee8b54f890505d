/*
 * Copyright (C) The e-mage authors
 *
 * A subject who asks for a study, as the command line says it, and the
 * requests that the gateway would ask of the policy.
 */


#ifndef EMAGE_TOOL_FACTS_H
#define EMAGE_TOOL_FACTS_H


#include "tool.h"

#include <emage/consent.h>


#define TOOL_RECORDS_MAX  (64 * 1024 * 1024)


/* What the options say; NULL: not given. */

typedef struct {
    const char  *dir;
    const char  *study;
    const char  *subject;
    const char  *kind;
    const char  *profession;
    const char  *organisation;
    const char  *teams;
    const char  *purpose;
    const char  *content;
    const char  *at;
    const char  *redis;
    const char  *records;
} tool_facts_t;

/*
 * Calls `each` with every request, and which it is ("study 1.2.3, images");
 * false from it stops.  False: said why not.
 */

bool tool_facts_ask(const tool_facts_t *f,
    bool (*each)(void *data, const cedar_set_t *set, cedar_request_t *req,
                 const char *title), void *data);


#endif /* EMAGE_TOOL_FACTS_H */
