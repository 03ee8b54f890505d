/*
 * Copyright (C) The e-mage authors
 *
 * Expressions, policies, schemas and the set that holds them.
 */


#ifndef CEDAR_AST_H
#define CEDAR_AST_H


#include "cedar_core.h"


typedef struct cedar_node_s    cedar_node_t;
typedef struct cedar_type_s    cedar_type_t;
typedef struct cedar_schema_s  cedar_schema_t;

/* cedar_code.h */

typedef struct cedar_code_s    cedar_code_t;
typedef struct cedar_slot_s    cedar_slot_t;
typedef struct cedar_entry_s   cedar_entry_t;
typedef struct cedar_env_s     cedar_env_t;
typedef struct cedar_keyed_s   cedar_keyed_t;


typedef enum {
    CEDAR_N_LIT = 0,
    CEDAR_N_PRINCIPAL,
    CEDAR_N_ACTION,
    CEDAR_N_RESOURCE,
    CEDAR_N_CONTEXT,
    CEDAR_N_AND,
    CEDAR_N_OR,
    CEDAR_N_NOT,
    CEDAR_N_NEG,
    CEDAR_N_EQ,
    CEDAR_N_LT,
    CEDAR_N_LE,
    CEDAR_N_ADD,
    CEDAR_N_SUB,
    CEDAR_N_MUL,
    CEDAR_N_IN,
    CEDAR_N_HAS,                     /* arg[0..n-1]: e, e.a, e.a.b; names */
    CEDAR_N_LIKE,
    CEDAR_N_IS,
    CEDAR_N_IS_IN,                   /* arg[0] is sym in arg[1] */
    CEDAR_N_IF,
    CEDAR_N_SET,
    CEDAR_N_RECORD,                  /* arg and names, sorted by name */
    CEDAR_N_ATTR,
    CEDAR_N_CALL,
    CEDAR_N_BAD                      /* a constant that cannot be made */
} cedar_node_kind_t;


/* A pattern of `like`: pieces of text, a star between each two. */

typedef struct {
    emage_str_t  *piece;
    uint32_t      n;
} cedar_pattern_t;

/* How a negation was written; it means the same. */

typedef enum {
    CEDAR_AS_NOT = 0,
    CEDAR_AS_OPERATOR,               /* != > >= */
    CEDAR_AS_UNLESS
} cedar_written_t;

struct cedar_node_s {
    uint8_t                  kind;
    uint8_t                  fn;
    uint16_t                 depth:12;
    uint16_t                 written:4;
    uint32_t                 pos;    /* byte offset in the source */
    uint32_t                 hash;   /* of the structure, not the place */
    cedar_symbol_t           sym;    /* attribute, type */
    uint32_t                 n;      /* of arg and names */
    uint16_t                 slot;   /* of CEDAR_N_ATTR, 0: none */
    cedar_node_t           **arg;
    const cedar_symbol_t    *names;
    const cedar_pattern_t   *pattern;
    const char              *fault;  /* CEDAR_N_BAD */
    cedar_value_t            value;  /* of literals and constants */
};

#define CEDAR_MAX_TREE  1000         /* depth of an expression tree */

bool cedar_node_eq(const cedar_node_t *a, const cedar_node_t *b);


typedef enum {
    CEDAR_SOURCE_POLICIES = 0,
    CEDAR_SOURCE_SCHEMA,
    CEDAR_SOURCE_LINKS,
    CEDAR_SOURCE_JSON,               /* policies */
    CEDAR_SOURCE_SCHEMA_JSON
} cedar_source_kind_t;

typedef struct {
    emage_str_t          name;
    emage_str_t          text;
    cedar_source_kind_t  kind;
    uint32_t             end;        /* of its last policy */
} cedar_source_t;

/* Line and column, from 1, of a byte offset, and the line's text. */

void cedar_source_place(const cedar_source_t *s, uint32_t pos,
    uint32_t *line, uint32_t *column, emage_str_t *text);


/* Scope: `type` is CEDAR_NO_SYMBOL without `is`; uids of == and in. */

typedef enum {
    CEDAR_SCOPE_ANY = 0,
    CEDAR_SCOPE_EQ,
    CEDAR_SCOPE_IN,
    CEDAR_SCOPE_IS,
    CEDAR_SCOPE_IS_IN
} cedar_scope_kind_t;

typedef struct {
    uint8_t          kind;
    bool             slot;           /* of a template: no uid yet */
    cedar_symbol_t   type;           /* of is; of == for the index */
    bool             list;           /* in [..] */
    cedar_value_t   *uids;
    uint32_t         n;
    uint32_t         pos;
    cedar_node_t    *node;           /* the same as an expression */
} cedar_scope_t;

typedef struct {
    emage_str_t  key;
    emage_str_t  value;
    bool         bare;               /* @key, without a text */
} cedar_annotation_t;

typedef struct cedar_policy_s  cedar_policy_t;

struct cedar_policy_s {
    emage_str_t           id;
    const cedar_policy_t *linked;    /* the template this is a link of */
    cedar_effect_t        effect;
    cedar_source_t       *source;
    uint32_t              pos;
    uint32_t              statement; /* its number in the set */
    uint32_t              before;    /* where what stands before it begins */
    uint32_t              start;
    uint32_t              end;
    bool                  named;     /* by a link or JSON, not by @id */
    cedar_annotation_t   *annotations;
    uint32_t              annotations_n;
    cedar_scope_t         principal;
    cedar_scope_t         action;
    cedar_scope_t         resource;
    cedar_node_t        **conds;     /* unless is already negated */
    uint32_t              conds_n;
    cedar_node_t         *whole;     /* scope and conditions as one */
    uint32_t              pc;        /* where the code of conds begins */
};


/* Types of the schema and of the validator. */

typedef enum {
    CEDAR_T_TRUE = 1,
    CEDAR_T_FALSE,
    CEDAR_T_BOOL,
    CEDAR_T_LONG,
    CEDAR_T_STRING,
    CEDAR_T_ENTITY,
    CEDAR_T_SET,
    CEDAR_T_RECORD,
    CEDAR_T_DECIMAL,
    CEDAR_T_DATETIME,
    CEDAR_T_DURATION,
    CEDAR_T_IP,
    CEDAR_T_NAME                     /* before resolution */
} cedar_type_kind_t;

/* Annotations stand in schemas only; other types leave them undefined. */

typedef struct {
    cedar_symbol_t             name;
    bool                       required;
    cedar_type_t              *type;
    const cedar_annotation_t  *annotations;
    uint32_t                   annotations_n;
} cedar_attr_t;

struct cedar_type_s {
    uint8_t          kind;
    bool             qualified;      /* T_NAME: written with :: */
    cedar_symbol_t   sym;            /* entity type, unresolved name */
    cedar_symbol_t   ns;             /* T_NAME: the namespace it stands in */
    uint32_t         pos;
    uint32_t         n;
    cedar_source_t  *source;
    cedar_attr_t    *attrs;          /* sorted by name once resolved */
    cedar_type_t    *elem;
    uint8_t          state;          /* of resolution */
    uint16_t         depth;
};

typedef struct {
    cedar_symbol_t     name;
    cedar_symbol_t     ns;
    cedar_source_t    *source;
    uint32_t           pos;
    cedar_type_t     **parents;      /* T_NAME, then T_ENTITY */
    uint32_t           parents_n;
    cedar_type_t      *attrs;        /* T_RECORD */
    cedar_type_t      *tags;
    emage_str_t       *choices;      /* of an enum */
    uint32_t           choices_n;
    bool               is_enum;
    bool               is_action;    /* the implied type of actions */
    uint64_t          *ancestors;    /* bits by index in schema->entities */

    const cedar_annotation_t  *annotations;
    uint32_t                   annotations_n;
} cedar_entity_type_t;

typedef struct {
    cedar_value_t      uid;
    cedar_symbol_t     ns;
    cedar_source_t    *source;
    uint32_t           pos;
    cedar_type_t     **parent_types; /* T_NAME or NULL, beside parents */
    cedar_value_t     *parents;
    uint32_t           parents_n;
    cedar_type_t     **principals;
    cedar_type_t     **resources;
    uint32_t           principals_n;
    uint32_t           resources_n;
    cedar_type_t      *context;
    cedar_value_t     *ancestors;    /* sorted */
    uint32_t           ancestors_n;
    cedar_env_t       *envs;         /* by principal, then resource */
    uint32_t           envs_n;
} cedar_action_t;

typedef struct {
    cedar_symbol_t   name;
    cedar_symbol_t   ns;
    cedar_source_t  *source;
    uint32_t         pos;
    cedar_type_t    *type;
} cedar_common_t;

struct cedar_schema_s {
    cedar_entity_type_t  *entities;
    cedar_action_t       *actions;
    cedar_common_t       *commons;
    uint32_t              entities_n;
    uint32_t              actions_n;
    uint32_t              commons_n;
    uint32_t             *action_slots;  /* hash of actions, index + 1 */
    uint32_t              action_mask;
    uint32_t             *by_symbol;     /* entity type index + 1, of symbol */
    uint32_t              by_symbol_n;
};

struct cedar_set_s {
    cedar_arena_t     arena;
    cedar_symbols_t   symbols;
    cedar_options_t   options;
    cedar_source_t  **sources;
    uint32_t          sources_n;
    cedar_policy_t   *policies;
    uint32_t          policies_n;
    cedar_policy_t  **templates;         /* each stays where it is */
    uint32_t          templates_n;
    uint32_t          statements;        /* policies and templates so far */
    cedar_code_t     *code;
    cedar_slot_t     *slots;
    cedar_entry_t    *open;              /* policies that are not keyed */
    cedar_keyed_t    *keyed[2];          /* by principal, by resource */
    uint32_t          code_n;
    uint32_t          slots_n;
    uint32_t          open_n;
    cedar_schema_t    schema;
    bool              has_schema;
    bool              finished;
    bool              broken;
    char              digest[65];
};

const cedar_entity_type_t *cedar_schema_entity(const cedar_set_t *set,
    cedar_symbol_t type);
cedar_action_t *cedar_schema_action(const cedar_set_t *set,
    const cedar_value_t *uid);
const cedar_attr_t *cedar_type_attr(const cedar_type_t *t,
    cedar_symbol_t name);

/* True if an entity of type `a` may be in one of type `b`, or a is b. */

bool cedar_schema_may_be_in(const cedar_set_t *set, cedar_symbol_t a,
    cedar_symbol_t b);

/* The same without "or a is b": for a type that may be in itself. */

bool cedar_schema_is_below(const cedar_set_t *set, cedar_symbol_t a,
    cedar_symbol_t b);

/* "Action" or something that ends in "::Action". */

bool cedar_is_action_type(const cedar_set_t *set, cedar_symbol_t type);
bool cedar_is_action_name(emage_str_t s);

/* Resolves names, closes hierarchies. */

emage_rc_t cedar_schema_resolve(cedar_set_t *set, emage_error_t *err);

/* Compiles the policies and fills the index.  EMAGE_OK or EMAGE_NOMEM. */

emage_rc_t cedar_index_build(cedar_set_t *set);


#endif /* CEDAR_AST_H */
