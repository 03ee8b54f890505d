/*
 * Copyright (C) The e-mage authors
 *
 * Resolution of schemas: shared by names (schema.c) and hierarchies.
 */


#ifndef CEDAR_SCHEMA_H
#define CEDAR_SCHEMA_H


#include "cedar_parse.h"


/* cedar_type_t.state */

#define CEDAR_RS_BUSY  1
#define CEDAR_RS_DONE  2


typedef struct {
    cedar_parser_t   p;              /* for its errors */
    cedar_set_t     *set;
    cedar_schema_t  *schema;
    uint32_t        *commons;        /* index + 1 by symbol */
    uint32_t         pos;
} cedar_resolver_t;


cedar_parser_t *cedar_rs_at(cedar_resolver_t *r, cedar_source_t *source);

bool cedar_rs_type(cedar_resolver_t *r, cedar_type_t *t, uint32_t depth);
bool cedar_rs_entity_name(cedar_resolver_t *r, cedar_type_t *t);

bool cedar_rs_entities(cedar_resolver_t *r);
bool cedar_rs_actions(cedar_resolver_t *r);


#endif /* CEDAR_SCHEMA_H */
