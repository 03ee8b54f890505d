/*
 * Copyright (C) The e-mage authors
 *
 * The Cedar policy language: policy sets, schemas, entities, requests and
 * decisions.  Pure C: no globals, no I/O but for the two functions that say so.
 *
 * Life of a set: create, add schemas and policies, intern the names that
 * requests will use, finish.  A finished set never changes: any number of
 * threads may decide with it, each with its own request and scratch block.
 *
 *     cedar_set_create(&set, NULL, &err);
 *     cedar_set_add_schema(set, name, text, &err);
 *     cedar_set_add_policies(set, name, text, &err);
 *     t_user = cedar_set_symbol(set, emage_str("User"));
 *     a_role = cedar_set_symbol(set, emage_str("role"));
 *     cedar_set_finish(set, &err);
 *
 *     req = cedar_request_create(set, block, sizeof(block));
 *     cedar_request_principal(req, t_user, id);
 *     cedar_request_action(req, t_action, emage_str("view"));
 *     cedar_request_resource(req, t_study, uid);
 *     rec = cedar_request_entity(req, t_user, id);
 *     cedar_record_string(rec, a_role, emage_str("physician"));
 *     cedar_decide(set, req, NULL, scratch, sizeof(scratch), &result);
 *     cedar_request_reset(req);
 */


#ifndef EMAGE_CEDAR_H
#define EMAGE_CEDAR_H


#include <emage/base.h>


/* Zeroed memory denies. */

typedef enum {
    CEDAR_DENY = 0,
    CEDAR_ALLOW
} cedar_decision_t;


typedef enum {
    CEDAR_FORBID = 0,
    CEDAR_PERMIT
} cedar_effect_t;


typedef struct cedar_set_s       cedar_set_t;
typedef struct cedar_entities_s  cedar_entities_t;
typedef struct cedar_request_s   cedar_request_t;
typedef struct cedar_record_s    cedar_record_t;
typedef struct cedar_cases_s     cedar_cases_t;


/*
 * An interned name: an attribute ("role"), or an entity type with its
 * namespaces ("Emage::Study", "Action").  Valid for one set only.
 */

typedef uint32_t  cedar_symbol_t;

#define CEDAR_NO_SYMBOL  0


/* An entity's identity.  `id` is a view: the caller keeps the bytes. */

typedef struct {
    cedar_symbol_t  type;
    emage_str_t     id;
} cedar_uid_t;


/*
 * max_bytes:         what the set may allocate in all, 0: 64 MiB
 * id_annotations:    a policy with @id("x") is called x; those without, and
 *                    all when false, are called policy0, policy1, ... in the
 *                    order they were added, over all files of the set
 */

typedef struct {
    size_t  max_bytes;
    bool    id_annotations;
} cedar_options_t;


/* Limits of the language front end, in what one set or text may hold. */

#define CEDAR_MAX_TEXT       (4 * 1024 * 1024)  /* bytes of one text */
#define CEDAR_MAX_POLICIES   10000
#define CEDAR_MAX_DEPTH      100                /* nesting of anything */
#define CEDAR_MAX_ENTITIES   100000             /* of one JSON text */


/*
 * One thing that validation or lint found.  `line` and `column` count from 1,
 * the column in bytes; `source` is the line's text; all views live as long as
 * the set.  `policy` is an index, or -1.
 */

typedef struct {
    emage_str_t   file;
    uint32_t      line;
    uint32_t      column;
    emage_str_t   source;
    int           policy;
    const char   *text;              /* valid during the call only */
} cedar_message_t;

typedef void (*cedar_report_pt)(void *data, const cedar_message_t *m);


/*
 * Makes an empty set.  `options` may be NULL.  The caller owns the set.
 * Returns EMAGE_OK or EMAGE_NOMEM.
 */

emage_rc_t cedar_set_create(cedar_set_t **set, const cedar_options_t *options,
    emage_error_t *err);

/* Frees the set and all it gave out.  NULL is fine. */

void cedar_set_destroy(cedar_set_t *set);

/*
 * Adds a schema in Cedar's human-readable format; several make one schema.
 * `name` stands in messages and in the digest (give a base name, so that the
 * digest does not depend on where the files lie).  `name` and `text` are
 * copied; at most CEDAR_MAX_TEXT bytes.
 * Returns EMAGE_OK, EMAGE_ERROR ("file:line:col: message") or EMAGE_NOMEM;
 * after a failure the set can only be destroyed.
 */

emage_rc_t cedar_set_add_schema(cedar_set_t *set, emage_str_t name,
    emage_str_t text, emage_error_t *err);

/* Adds a schema in Cedar's JSON format; as cedar_set_add_schema. */

emage_rc_t cedar_set_add_schema_json(cedar_set_t *set, emage_str_t name,
    emage_str_t text, emage_error_t *err);

/* Adds the policies of one text; as cedar_set_add_schema. */

emage_rc_t cedar_set_add_policies(cedar_set_t *set, emage_str_t name,
    emage_str_t text, emage_error_t *err);

/*
 * Adds policies, templates and links in Cedar's JSON format: a set
 * {"staticPolicies", "templates", "templateLinks"}, a policy, or an array of
 * policies.  They are turned into text first; messages of the validator show
 * that text.  The ids of the set count, not @id.  As cedar_set_add_schema.
 */

emage_rc_t cedar_set_add_policies_json(cedar_set_t *set, emage_str_t name,
    emage_str_t text, emage_error_t *err);

/*
 * Links the template `template_id`: adds the policy `id`, which is the template
 * with its slots filled.  A slot that the template has must be given, one it
 * has not must be NULL.  The id must be new.  Ids of entities are copied.
 * Returns EMAGE_OK, EMAGE_ERROR (the set is not spoilt by it) or EMAGE_NOMEM.
 */

emage_rc_t cedar_link(cedar_set_t *set, emage_str_t template_id,
    emage_str_t id, const cedar_uid_t *principal, const cedar_uid_t *resource,
    emage_error_t *err);

/*
 * Adds the links of a JSON text, an array of
 *     {"template_id": "t", "link_id": "l", "args": {"?principal": E}}
 * where E is "Type::\"id\"" as in Cedar's own files, or {"type", "id"}.
 * templateId, newId and values are taken as well.  Needs the templates to be
 * there.  Returns as cedar_set_add_schema.
 */

emage_rc_t cedar_set_add_links(cedar_set_t *set, emage_str_t name,
    emage_str_t text, emage_error_t *err);

/*
 * Reads DIR/ *.cedarschema, then DIR/ *.cedar, each sorted by name (names that
 * begin with a dot are left out), and adds them under their base names.  This
 * and cedar_file_load alone touch files.  EMAGE_NOTFOUND: no such directory,
 * or no *.cedar in it.
 */

emage_rc_t cedar_set_add_directory(cedar_set_t *set, const char *dir,
    emage_error_t *err);

/*
 * Reads the file `path` into `b`, which the caller initialised with the most
 * it may hold, and frees.  EMAGE_UNAVAILABLE: not readable; EMAGE_NOMEM: too
 * large.
 */

emage_rc_t cedar_file_load(const char *path, emage_buf_t *b,
    emage_error_t *err);

/*
 * Interns a name before cedar_set_finish; afterwards only looks it up.
 * CEDAR_NO_SYMBOL: no memory, or unknown after finish.  A request that is
 * given CEDAR_NO_SYMBOL is spoilt and decides nothing.
 */

cedar_symbol_t cedar_set_symbol(cedar_set_t *set, emage_str_t name);

/*
 * Resolves the schema, compiles and indexes the policies, computes the digest.
 * The set is constant from here on.  Returns as cedar_set_add_schema.
 */

emage_rc_t cedar_set_finish(cedar_set_t *set, emage_error_t *err);

/*
 * Cedar's strict validation of every policy against the schema, as
 * `cedar validate`: each problem is reported once.  Needs a finished set that
 * has a schema.  Returns EMAGE_OK (all valid), EMAGE_ERROR (some problem was
 * reported), EMAGE_NOMEM (cap met: treat as not valid).
 */

emage_rc_t cedar_set_validate(const cedar_set_t *set, cedar_report_pt report,
    void *data);

/*
 * e-mage's own rules for policy files: every policy has an @id of its own;
 * every permit names its legal @basis; with a schema, each can be met by some
 * request that it allows.  Returns as cedar_set_validate.
 */

emage_rc_t cedar_set_lint(const cedar_set_t *set, cedar_report_pt report,
    void *data);

/*
 * The policy revision: sha-256, 64 lower-case hex digits, over kind, name and
 * text of every source in the order added.  Terminated; lives as long as the
 * set; "" before finish.
 */

const char *cedar_set_digest(const cedar_set_t *set);

bool cedar_set_has_schema(const cedar_set_t *set);


/* Policies, by index from 0 to cedar_policy_count() - 1.  Views of the set. */

size_t cedar_policy_count(const cedar_set_t *set);
emage_str_t cedar_policy_id(const cedar_set_t *set, size_t i);
cedar_effect_t cedar_policy_effect(const cedar_set_t *set, size_t i);

/*
 * Templates, by index from 0 to cedar_template_count() - 1; they decide only
 * through links, which are policies.  cedar_policy_template: the id of the
 * template that policy `i` is a link of; false if it is none.
 */

size_t cedar_template_count(const cedar_set_t *set);
emage_str_t cedar_template_id(const cedar_set_t *set, size_t i);
bool cedar_policy_template(const cedar_set_t *set, size_t i,
    emage_str_t *template_id);

/* Where policy `i` begins. */

void cedar_policy_place(const cedar_set_t *set, size_t i, emage_str_t *file,
    uint32_t *line);

/* Text of annotation `key` ("basis"); false if the policy has none. */

bool cedar_policy_annotation(const cedar_set_t *set, size_t i,
    emage_str_t key, emage_str_t *value);


/*
 * A request, built without JSON into the caller's block and used again and
 * again.  Nothing below allocates.  Strings are views: the caller's bytes must
 * live until the decision.  Whatever cannot be stored (block full, no symbol,
 * bad address) spoils the request: check nothing on the way, cedar_decide
 * returns EMAGE_NOMEM and denies.
 */

/*
 * Makes a request in `block` (8-byte aligned; 16 KiB is ample for some
 * hundred attributes).  The request lives in the block: nothing to free.
 * NULL if the block is under 1 KiB.  The set must outlive it.
 */

cedar_request_t *cedar_request_create(const cedar_set_t *set, void *block,
    size_t size);

/* Forgets everything that was set. */

void cedar_request_reset(cedar_request_t *req);

/* True if something could not be stored since create or reset. */

bool cedar_request_spoilt(const cedar_request_t *req);

void cedar_request_principal(cedar_request_t *req, cedar_symbol_t type,
    emage_str_t id);
void cedar_request_action(cedar_request_t *req, cedar_symbol_t type,
    emage_str_t id);
void cedar_request_resource(cedar_request_t *req, cedar_symbol_t type,
    emage_str_t id);

/* The context record.  Never NULL, as all records below. */

cedar_record_t *cedar_request_context(cedar_request_t *req);

/*
 * Adds an entity (at most 64) and returns its attributes, or those of the same
 * entity when it was added before.  It hides an entity of the same identity in
 * cedar_entities_t and in the schema.
 */

cedar_record_t *cedar_request_entity(cedar_request_t *req,
    cedar_symbol_t type, emage_str_t id);

/* Makes (type, id) a direct parent of the entity whose attributes are `rec`. */

void cedar_request_parent(cedar_record_t *rec, cedar_symbol_t type,
    emage_str_t id);

/* Tags of the entity whose attributes are `rec` (names as attributes). */

cedar_record_t *cedar_request_tags(cedar_record_t *rec);


/* Attributes.  Setting one again replaces it. */

void cedar_record_bool(cedar_record_t *rec, cedar_symbol_t name, bool value);
void cedar_record_long(cedar_record_t *rec, cedar_symbol_t name,
    int64_t value);
void cedar_record_string(cedar_record_t *rec, cedar_symbol_t name,
    emage_str_t value);
void cedar_record_entity(cedar_record_t *rec, cedar_symbol_t name,
    cedar_symbol_t type, emage_str_t id);

/* Sets of strings or entities: duplicates are fine, n may be 0. */

void cedar_record_strings(cedar_record_t *rec, cedar_symbol_t name,
    const emage_str_t *values, size_t n);
void cedar_record_entities(cedar_record_t *rec, cedar_symbol_t name,
    const cedar_uid_t *values, size_t n);

/* datetime: milliseconds since 1970; duration: milliseconds. */

void cedar_record_datetime(cedar_record_t *rec, cedar_symbol_t name,
    int64_t ms);
void cedar_record_duration(cedar_record_t *rec, cedar_symbol_t name,
    int64_t ms);

/* decimal: ten-thousandths, 12345 is 1.2345. */

void cedar_record_decimal(cedar_record_t *rec, cedar_symbol_t name,
    int64_t value);

/* ipaddr, as text: "192.0.2.1", "2001:db8::/32". */

void cedar_record_ip(cedar_record_t *rec, cedar_symbol_t name,
    emage_str_t text);

/* A record inside a record. */

cedar_record_t *cedar_record_record(cedar_record_t *rec, cedar_symbol_t name);


/*
 * The answer.  `reason`: indexes of the policies that decided (the satisfied
 * forbids, else the satisfied permits), ascending; empty when nothing matched.
 * `errors`: indexes of policies whose evaluation failed; they were skipped,
 * as Cedar says, so a caller that must fail closed denies when there are any.
 * The arrays lie in the scratch block.
 */

typedef struct {
    cedar_decision_t   decision;
    const uint32_t    *reason;
    const uint32_t    *errors;
    uint32_t           reason_n;
    uint32_t           errors_n;
} cedar_result_t;

/*
 * Decides `req` by every policy of the finished `set`.  `entities` (may be
 * NULL) are looked up after those of the request.  `scratch`: 8-byte aligned
 * block for the result and for intermediate values, 16 KiB is ample for small
 * policies; used anew at each call.  Allocates nothing; the same input gives
 * the same answer.
 * Returns EMAGE_OK, or EMAGE_NOMEM (scratch or a limit too small, or spoilt
 * request) or EMAGE_ERROR (set not finished, no principal, action or
 * resource): `result` is then CEDAR_DENY without reasons.
 */

emage_rc_t cedar_decide(const cedar_set_t *set, cedar_request_t *req,
    const cedar_entities_t *entities, void *scratch, size_t scratch_size,
    cedar_result_t *result);

/*
 * Why policy `i` failed in the last decision made in `scratch`: evaluates it
 * again and names the fault ("attribute missing", ...).  "" if it does not
 * fail.  A constant text.
 */

const char *cedar_explain(const cedar_set_t *set, size_t i,
    cedar_request_t *req, const cedar_entities_t *entities, void *scratch,
    size_t scratch_size);


/*
 * Appends {"decision":"allow","reason":["id"],"errors":[]}, ids sorted, in one
 * line.  EMAGE_OK or EMAGE_NOMEM.
 */

emage_rc_t cedar_result_json(const cedar_set_t *set,
    const cedar_result_t *result, emage_buf_t *b);


/*
 * Appends the policies and templates as text, in one form, with the comments
 * that stand before each, without those inside; with `linked`: what decides,
 * policies and links, each link under its id as a policy of its own, and no
 * comments.  Reads back as the same.  EMAGE_OK or EMAGE_NOMEM.
 */

emage_rc_t cedar_policies_text(const cedar_set_t *set, bool linked,
    emage_buf_t *b);

/* The place of the first comment that cedar_policies_text loses, if any. */

bool cedar_policies_comment(const cedar_set_t *set, emage_str_t *file,
    uint32_t *line, uint32_t *column);

/*
 * Appends the set in Cedar's JSON format: staticPolicies, templates and
 * templateLinks.  EMAGE_OK or EMAGE_NOMEM.
 */

emage_rc_t cedar_policies_json(const cedar_set_t *set, emage_buf_t *b);

/*
 * Entities from JSON (Cedar's entities format): uid, attrs, parents, tags;
 * __entity and __extn escapes, or the implicit forms where the schema gives
 * the type.  Ancestors are closed; cycles and duplicates are refused.  `name`
 * stands in messages.  The caller destroys *entities, before the set.
 * Returns EMAGE_OK, EMAGE_ERROR or EMAGE_NOMEM.
 */

emage_rc_t cedar_entities_load(const cedar_set_t *set, emage_str_t name,
    emage_str_t text, cedar_entities_t **entities, emage_error_t *err);

void cedar_entities_destroy(cedar_entities_t *entities);

/*
 * Are the entities as the schema says: types, ids of enumerated types,
 * attributes, tags, ancestors, actions?  As Cedar checks them when it reads
 * entities with a schema.  Returns EMAGE_OK, or EMAGE_ERROR: `err` names the
 * first that is not, or that there is no schema.
 */

emage_rc_t cedar_entities_validate(const cedar_entities_t *entities,
    emage_error_t *err);

/*
 * Is the request one that the schema allows: a declared action that applies to
 * principal and resource, a context of its type, entities of the request as
 * above?  `entities` (may be NULL) are those it is decided with; they are not
 * validated here.  Returns as cedar_entities_validate.
 */

emage_rc_t cedar_request_validate(const cedar_set_t *set,
    const cedar_request_t *req, const cedar_entities_t *entities,
    emage_error_t *err);


/*
 * Requests and test cases from JSON: an array of
 *     {"principal": {"type", "id"}, "action": .., "resource": .., "context"}
 * or  {"name", "request": {..as above..}, "entities": [..], "decision",
 *     "reason": [..], "errors": [..]}.
 * `entities` (may be NULL) serve the cases that bring none; they must outlive
 * the cases, and one thread at a time may load cases over the same entities.
 */

typedef struct {
    emage_str_t         name;
    cedar_request_t    *request;
    cedar_entities_t   *entities;      /* NULL: none */
    bool                expected;      /* the four below were given */
    cedar_decision_t    decision;
    const emage_str_t  *reason;        /* policy ids, in the order given */
    const emage_str_t  *errors;
    uint32_t            reason_n;
    uint32_t            errors_n;
} cedar_case_t;

emage_rc_t cedar_cases_load(const cedar_set_t *set,
    cedar_entities_t *entities, emage_str_t name, emage_str_t text,
    cedar_cases_t **cases, emage_error_t *err);

/* Are decision, reasons and errors those expected?  In any order. */

bool cedar_case_agrees(const cedar_set_t *set, const cedar_case_t *c,
    const cedar_result_t *result);

size_t cedar_cases_count(const cedar_cases_t *cases);
const cedar_case_t *cedar_cases_at(const cedar_cases_t *cases, size_t i);
void cedar_cases_destroy(cedar_cases_t *cases);


#endif /* EMAGE_CEDAR_H */
