
/*
 * Copyright (C) The e-mage authors
 *
 * A new revision of a study: built in incoming/<txn>/, then moved into place
 * whole.
 */


#ifndef EMAGE_REVISION_H
#define EMAGE_REVISION_H


#include "layout.h"
#include "manifest.h"
#include "object.h"
#include "rows.h"


/* An object that comes new into the revision, or in the place of an older. */

typedef struct {
    uint32_t               number;   /* of the staged files */
    const emage_object_t  *object;
    const char            *path;     /* where it came from */
} emage_member_t;


typedef struct {
    const emage_store_t      *store;
    const emage_txn_t        *txn;
    const char               *study;
    const char               *org;
    emage_identity_t          who;
    const char               *old_revision;  /* "": the study is new */
    const emage_manifest_t   *old;           /* its manifest */
    const emage_member_t     *members;       /* sorted by SOP Instance UID */
    size_t                    nmembers;

    /* members of study.json that the rows do not give, taken over */

    json_t                   *head;
} emage_revision_conf_t;


/*
 * Builds the revision under a new name (`name` takes EMAGE_REVISION_MAX + 1
 * bytes), syncs it and moves it to studies/<study>/<name>.  It is not visible
 * before a record names it.  The caller holds the study's lock.
 */

emage_rc_t emage_revision_build(const emage_revision_conf_t *conf, char *name,
    emage_error_t *err);

/* Reads a MANIFEST; EMAGE_NOTFOUND, EMAGE_ERROR. */

emage_rc_t emage_revision_manifest(const emage_store_t *st, const char *study,
    const char *revision, emage_manifest_t *out, emage_error_t *err);

/* Reads a JSON file of a revision. */

emage_rc_t emage_revision_json(const emage_store_t *st, const char *study,
    const char *revision, const char *file, json_t **out, emage_error_t *err);

emage_rc_t emage_revision_remove(const emage_store_t *st, const char *study,
    const char *revision, emage_error_t *err);


#endif /* EMAGE_REVISION_H */
