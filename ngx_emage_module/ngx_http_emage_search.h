
/*
 * Copyright (C) The e-mage authors
 *
 * Searches (QIDO-RS): from candidates through facts and decisions to rows, and
 * only then to a page of them.  Candidates are hints; a study is listed when
 * its facts, under the lease, permit something of it, and what is listed and
 * counted is what can be retrieved.
 */


#ifndef _NGX_HTTP_EMAGE_SEARCH_H_INCLUDED_
#define _NGX_HTTP_EMAGE_SEARCH_H_INCLUDED_


#include "ngx_http_emage_entry.h"

#include <emage/query.h>


#define NGX_HTTP_EMAGE_SEARCH_CANDIDATES  10000
#define NGX_HTTP_EMAGE_SEARCH_FETCHES     64         /* facts under way */
#define NGX_HTTP_EMAGE_SEARCH_ROWS        10000      /* of one answer */
#define NGX_HTTP_EMAGE_SEARCH_STUDIES     1000       /* in one answer */
#define NGX_HTTP_EMAGE_SEARCH_BODY        (16 * 1024 * 1024)

/* Work of one turn of the event loop: a study costs 1, a file it reads 16. */

#define NGX_HTTP_EMAGE_SEARCH_TURN        512
#define NGX_HTTP_EMAGE_SEARCH_READ        16


typedef struct ngx_http_emage_candidate_s  ngx_http_emage_candidate_t;

/* A study that may be listed; `permits` and what follows once it is decided. */

struct ngx_http_emage_candidate_s {
    ngx_http_emage_want_t         want;
    ngx_queue_t                   ready;     /* facts have come */
    ngx_http_emage_search_t      *search;
    emage_str_t                   uid;

    unsigned                      permits;
    int64_t                       until;
    int64_t                       version;   /* of the study record */
    uint32_t                      nrows;     /* that match */
    emage_str_t                   date;      /* in text */
    u_char                        text[8];
};


typedef enum {
    NGX_HTTP_EMAGE_SEARCH_LIST = 0,          /* candidates */
    NGX_HTTP_EMAGE_SEARCH_DECIDE,            /* each of them */
    NGX_HTTP_EMAGE_SEARCH_PAGE,              /* rows of the answer */
    NGX_HTTP_EMAGE_SEARCH_DONE
} ngx_http_emage_search_e;


/* A question to emage_candidates (docs/records.md). */

typedef struct {
    ngx_str_t                     kind;
    ngx_str_t                     name;
} ngx_http_emage_ask_t;


struct ngx_http_emage_search_s {
    ngx_http_emage_ctx_t         *ctx;
    ngx_http_emage_search_e       state;
    ngx_uint_t                    rounds;

    emage_query_t                 query;
    emage_level_t                 from;      /* levels the path leaves open */

    ngx_http_emage_ask_t         *asks;
    ngx_uint_t                    nasks;
    ngx_uint_t                    ask;
    ngx_emage_redis_cmd_t        *cmd;
    u_char                        cursor[20];
    size_t                        cursor_len;
    ngx_int_t                     answer;    /* of the last question */
    ngx_array_t                   uids;      /* emage_str_t */

    ngx_http_emage_candidate_t   *candidates;
    ngx_uint_t                    n;
    ngx_uint_t                    next;
    ngx_uint_t                    flying;
    ngx_queue_t                   ready;
    ngx_event_t                   event;
    ngx_int_t                     budget;    /* of this turn */

    ngx_http_emage_candidate_t  **hits;      /* most recent first */
    ngx_uint_t                    nhits;
    ngx_uint_t                    hit;
    uint64_t                      total;     /* rows of all hits */
    uint64_t                      skip;      /* before the page, still */
    uint32_t                      left;      /* of the page */
    ngx_uint_t                    nlisted;   /* hits in it, first in `hits` */

    emage_buf_t                   body;
    uint32_t                      nrows;     /* in the body */
    emage_buf_t                   described; /* the query, for the journal */
    emage_buf_t                   studies;
    emage_buf_t                   pids;

    unsigned                      cut:1;     /* over candidates */
    unsigned                      seen:1;    /* something may be seen */
};


/*
 * The step of a search: NGX_AGAIN, NGX_DECLINED with the next state set, or
 * the end of the request, as those of the handler.
 */

ngx_int_t ngx_http_emage_search(ngx_http_emage_ctx_t *ctx);

/* Sends what has been found, unless something about it has changed. */

ngx_int_t ngx_http_emage_search_serve(ngx_http_emage_ctx_t *ctx);

/* As ngx_http_emage_recheck(), for a list that is being sent. */

ngx_int_t ngx_http_emage_search_recheck(ngx_http_emage_ctx_t *ctx);

void ngx_http_emage_search_cleanup(ngx_http_emage_ctx_t *ctx);


/*
 * candidates: fills search->uids, without repetition.  NGX_OK, NGX_AGAIN,
 * NGX_ERROR (ctx->cause).
 */

ngx_int_t ngx_http_emage_candidates(ngx_http_emage_search_t *search);


/*
 * list: the rows of one decided candidate that match.  Counts them (`take` 0),
 * or writes up to `take` of them after the first `skip` into search->body.
 * NGX_OK with candidate->nrows, or the number written in `written`;
 * NGX_DECLINED: the store has not got them; NGX_ERROR.
 */

ngx_int_t ngx_http_emage_list(ngx_http_emage_search_t *search,
    ngx_http_emage_candidate_t *candidate, uint64_t skip, uint32_t take,
    uint32_t *written);


/*
 * results: the response, for ngx_http_finalize_request(); and what the journal
 * says of it before, with values that name people as keyed hashes.
 */

ngx_int_t ngx_http_emage_search_answer(ngx_http_emage_ctx_t *ctx);
ngx_int_t ngx_http_emage_search_describe(ngx_http_emage_search_t *search);
void ngx_http_emage_search_access(ngx_http_emage_ctx_t *ctx,
    emage_access_t *access);


/*
 * verify: whether everything that a finished list shows is still permitted.
 * NGX_OK, NGX_DECLINED when it has to be made anew.
 */

ngx_int_t ngx_http_emage_search_verify(ngx_http_emage_search_t *search);


#endif /* _NGX_HTTP_EMAGE_SEARCH_H_INCLUDED_ */
