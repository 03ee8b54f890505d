
/*
 * Copyright (C) The e-mage authors
 *
 * What an answer consists of, in order, before a byte of it is read: parts
 * (objects, frames, bulk values, metadata chunks), the framing between them,
 * and a cursor that walks over both.
 */


#ifndef _NGX_HTTP_EMAGE_PLAN_H_INCLUDED_
#define _NGX_HTTP_EMAGE_PLAN_H_INCLUDED_


#include "ngx_http_emage.h"
#include "ngx_http_emage_cache.h"
#include "ngx_http_emage_store.h"

#include <emage/accept.h>


#define NGX_HTTP_EMAGE_BOUNDARY_LEN  (sizeof("emage-") - 1 + 32)
#define NGX_HTTP_EMAGE_FRAMING_MAX   320     /* bytes between two parts */
#define NGX_HTTP_EMAGE_OCTETS        emage_str("application/octet-stream")


/*
 * `item` is the number of a frame (from 1) or of a bulk value (from 0).  Of
 * something rendered it is 0 for the picture and else the number of a bulk
 * value from 1.  It has no meaning for whole objects and metadata.
 */

typedef struct {
    ngx_http_emage_series_t  *series;
    uint32_t                  instance;
    uint32_t                  item;
} ngx_http_emage_part_t;


/* A piece of the answer: framing in memory, or a slice of a file. */

typedef struct {
    u_char                   *data;        /* NULL: of the file */
    ngx_http_emage_series_t  *series;
    uint32_t                  instance;
    ngx_uint_t                kind;        /* NGX_HTTP_EMAGE_FILE_* */
    off_t                     offset;
    off_t                     length;
} ngx_http_emage_segment_t;


typedef enum {
    NGX_HTTP_EMAGE_CURSOR_FRAMING = 0,     /* before part `part` */
    NGX_HTTP_EMAGE_CURSOR_DATA,
    NGX_HTTP_EMAGE_CURSOR_END,
    NGX_HTTP_EMAGE_CURSOR_DONE
} ngx_http_emage_cursor_e;


struct ngx_http_emage_plan_s {
    ngx_http_emage_body_t    *body;        /* ready in memory, or NULL: */

    ngx_array_t               parts;       /* ngx_http_emage_part_t */
    ngx_array_t               series;      /* references held */

    emage_resource_kind_t     kind;
    emage_form_t              form;
    ngx_str_t                 content_type;
    ngx_str_t                 etag;
    ngx_str_t                 key;         /* in the cache; empty: none */
    off_t                     length;      /* of the whole body */
    off_t                     data_length; /* without framing */
    unsigned                  needs;       /* EMAGE_PERMIT_* bits */
    uint32_t                  ninstances;
    uint32_t                  nframes;
    int64_t                   study_version;

    u_char                    boundary[NGX_HTTP_EMAGE_BOUNDARY_LEN];
    uint32_t                  crc;         /* of inflated metadata */
    uint32_t                  inflated;

    ngx_http_emage_cursor_e   cursor;
    ngx_uint_t                part;
    uint32_t                  slice;
    u_char                    framing[NGX_HTTP_EMAGE_FRAMING_MAX];

    unsigned                  as_octets:1;
    unsigned                  gzip:1;
};


/* All Accept fields as one, in the request's pool. */

ngx_int_t ngx_http_emage_plan_accept(ngx_http_request_t *r,
    ngx_str_t *accept);

/*
 * The form in which the client takes what was collected; NGX_OK, NGX_ERROR or
 * NGX_HTTP_NOT_ACCEPTABLE with what is `stored`.
 */

ngx_int_t ngx_http_emage_plan_form(ngx_http_emage_ctx_t *ctx,
    ngx_http_emage_plan_t *plan, ngx_str_t *accept, ngx_str_t *stored);

/* Entity tag, boundary and media type. */

ngx_int_t ngx_http_emage_plan_names(ngx_http_emage_ctx_t *ctx,
    ngx_http_emage_plan_t *plan);

/* What kind of data a part is, before it is labelled for the client. */

ngx_int_t ngx_http_emage_plan_kind(ngx_http_emage_plan_t *plan,
    ngx_http_emage_part_t *part, emage_stored_t *kind);

/*
 * Walks the whole plan once, without reading: the length of the body, and for
 * metadata the checksum of what the chunks inflate to.
 */

ngx_int_t ngx_http_emage_plan_measure(ngx_http_emage_plan_t *plan);

/* The body from its beginning. */

void ngx_http_emage_plan_rewind(ngx_http_emage_plan_t *plan);

/*
 * The next piece.  NGX_OK, NGX_DONE after the last, NGX_ERROR.  Framing is
 * valid until the next call.
 */

ngx_int_t ngx_http_emage_plan_next(ngx_http_emage_plan_t *plan,
    ngx_http_emage_segment_t *segment);

/* Gives back series and body. */

void ngx_http_emage_plan_release(ngx_http_emage_plan_t *plan);


#endif /* _NGX_HTTP_EMAGE_PLAN_H_INCLUDED_ */
