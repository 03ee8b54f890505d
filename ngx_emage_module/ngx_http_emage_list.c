
/*
 * Copyright (C) The e-mage authors
 *
 * The rows of one study that a subject may see and that match: counted first,
 * written when they are on the page.  Of a study that may be seen in part only
 * that part is counted, by the same indexes that retrieval goes by.
 */


#include "ngx_http_emage_rows.h"
#include "ngx_http_emage_search.h"


#define NGX_HTTP_EMAGE_LIST_MODALITIES  32


typedef struct {
    ngx_http_emage_search_t     *search;
    ngx_http_emage_candidate_t  *candidate;
    const emage_facts_t         *facts;
    ngx_http_emage_rows_t       *rows;
    ngx_log_t                   *log;
    ngx_uint_t                   reads;

    uint64_t                     skip;
    uint32_t                     take;       /* 0: rows are counted */
    uint32_t                     nrows;

    const emage_row_t           *row[3];
    const emage_overlay_t       *over[3];
    emage_overlay_t              overlays[3];

    unsigned                     partial:1;
} ngx_http_emage_list_t;


static ngx_int_t ngx_http_emage_list_study(ngx_http_emage_list_t *list);
static uint32_t ngx_http_emage_list_visible(ngx_http_emage_list_t *list);
static ngx_uint_t ngx_http_emage_list_may(ngx_http_emage_list_t *list,
    emage_class_t cls, emage_str_t uid);
static uint32_t ngx_http_emage_list_count(ngx_http_emage_list_t *list,
    uint32_t series);
static ngx_int_t ngx_http_emage_list_recount(ngx_http_emage_list_t *list);
static ngx_int_t ngx_http_emage_list_series(ngx_http_emage_list_t *list);
static ngx_int_t ngx_http_emage_list_instances(ngx_http_emage_list_t *list,
    uint32_t series);
static ngx_int_t ngx_http_emage_list_url(ngx_http_emage_list_t *list,
    emage_level_t level);
static ngx_int_t ngx_http_emage_list_row(ngx_http_emage_list_t *list);


ngx_int_t
ngx_http_emage_list(ngx_http_emage_search_t *search,
    ngx_http_emage_candidate_t *candidate, uint64_t skip, uint32_t take,
    uint32_t *written)
{
    ngx_int_t              rc;
    ngx_http_emage_list_t  list;

    list.search = search;
    list.candidate = candidate;
    list.facts = ngx_http_emage_entry_facts(candidate->want.entry);
    list.log = search->ctx->request->connection->log;
    list.reads = 0;
    list.skip = skip;
    list.take = take;
    list.nrows = 0;
    list.partial = 0;

    ngx_memzero(list.row, sizeof(list.row));
    ngx_memzero(list.over, sizeof(list.over));

    rc = ngx_http_emage_rows_get(&search->ctx->conf->store, candidate->uid,
                                 emage_facts_revision(list.facts), list.log,
                                 &list.reads, &list.rows);

    if (rc == NGX_OK) {
        rc = ngx_http_emage_list_study(&list);

        if (take == 0) {
            candidate->date.len = ngx_min(list.rows->study->date.len,
                                          sizeof(candidate->text));
            candidate->date.data = (char *) candidate->text;
            ngx_memcpy(candidate->text, list.rows->study->date.data,
                       candidate->date.len);
        }

        ngx_http_emage_rows_release(list.rows);
    }

    search->budget -= 1 + (ngx_int_t) list.reads * NGX_HTTP_EMAGE_SEARCH_READ;

    if (rc == NGX_ERROR) {
        search->ctx->cause = "store";
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED) {
        return NGX_DECLINED;
    }

    if (take == 0) {
        candidate->nrows = list.nrows;

    } else {
        *written = list.nrows;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_emage_list_study(ngx_http_emage_list_t *list)
{
    uint32_t                  visible;
    ngx_int_t                 rc;
    emage_rows_t             *study;
    ngx_http_emage_search_t  *search;

    search = list->search;
    study = list->rows->study;
    visible = ngx_http_emage_list_visible(list);

    if (visible == 0) {
        return NGX_OK;
    }

    search->seen = 1;

    list->partial = visible != study->classes[EMAGE_CLASS_IMAGE]
                               + study->classes[EMAGE_CLASS_EVIDENCE]
                               + study->classes[EMAGE_CLASS_REPORT];

    if (list->partial || search->query.level != EMAGE_LEVEL_STUDY) {
        rc = ngx_http_emage_rows_series(list->rows, list->log, &list->reads);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (list->partial) {
        rc = ngx_http_emage_rows_kinds(list->rows, list->log, &list->reads);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    list->row[EMAGE_LEVEL_STUDY] = &study->rows[0];
    list->over[EMAGE_LEVEL_STUDY] = &list->overlays[EMAGE_LEVEL_STUDY];

    if (ngx_http_emage_list_recount(list) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!emage_query_match(&search->query, EMAGE_LEVEL_STUDY, &study->rows[0],
                           list->over[EMAGE_LEVEL_STUDY]))
    {
        return NGX_OK;
    }

    if (search->query.level == EMAGE_LEVEL_STUDY) {
        rc = ngx_http_emage_list_row(list);
        return rc == NGX_DONE ? NGX_OK : rc;
    }

    return ngx_http_emage_list_series(list);
}


/* How many instances of the study may be seen. */

static uint32_t
ngx_http_emage_list_visible(ngx_http_emage_list_t *list)
{
    uint32_t       i, n;
    emage_rows_t  *study;

    study = list->rows->study;
    n = 0;

    if (ngx_http_emage_list_may(list, EMAGE_CLASS_IMAGE, emage_null_str)) {
        n += study->classes[EMAGE_CLASS_IMAGE];
    }

    if (ngx_http_emage_list_may(list, EMAGE_CLASS_EVIDENCE, emage_null_str)) {
        n += study->classes[EMAGE_CLASS_EVIDENCE];
    }

    for (i = 0; i < study->nreports; i++) {
        n += ngx_http_emage_list_may(list, EMAGE_CLASS_REPORT,
                                     study->reports[i]);
    }

    return n;
}


static ngx_uint_t
ngx_http_emage_list_may(ngx_http_emage_list_t *list, emage_class_t cls,
    emage_str_t uid)
{
    unsigned  need;

    need = emage_facts_need(list->facts, cls, uid);

    return need != 0 && (list->candidate->permits & need) == need;
}


/* Of a series. */

static uint32_t
ngx_http_emage_list_count(ngx_http_emage_list_t *list, uint32_t series)
{
    uint32_t                 i, n;
    ngx_http_emage_kinds_t  *kinds;

    if (!list->partial) {
        return list->rows->series->rows[series].count;
    }

    kinds = &list->rows->kinds[series];
    n = 0;

    if (ngx_http_emage_list_may(list, EMAGE_CLASS_IMAGE, emage_null_str)) {
        n += kinds->n[0];
    }

    if (ngx_http_emage_list_may(list, EMAGE_CLASS_EVIDENCE, emage_null_str)) {
        n += kinds->n[1];
    }

    for (i = 0; i < kinds->nreports; i++) {
        n += ngx_http_emage_list_may(list, EMAGE_CLASS_REPORT,
                                     kinds->reports[i]);
    }

    return n;
}


/*
 * What the study's row says of its content is said anew of what may be seen of
 * it.  A study has few modalities; one that has more than a row can hold is not
 * listed by them.
 */

static ngx_int_t
ngx_http_emage_list_recount(ngx_http_emage_list_t *list)
{
    uint32_t          i, k, n, nseries, ninstances, nmodalities;
    emage_str_t       modality;
    emage_overlay_t  *over;
    emage_str_t       modalities[NGX_HTTP_EMAGE_LIST_MODALITIES];

    over = &list->overlays[EMAGE_LEVEL_STUDY];
    emage_overlay_init(over);

    nseries = 0;
    ninstances = 0;
    nmodalities = 0;

    for (i = 0; list->partial && i < list->rows->series->n; i++) {
        n = ngx_http_emage_list_count(list, i);

        if (n == 0) {
            continue;
        }

        nseries++;
        ninstances += n;
        modality = list->rows->series->rows[i].modality;

        for (k = 0; k < nmodalities; k++) {
            if (emage_str_eq(modalities[k], modality)) {
                break;
            }
        }

        if (k == nmodalities && modality.len != 0
            && k < NGX_HTTP_EMAGE_LIST_MODALITIES)
        {
            modalities[nmodalities++] = modality;
        }
    }

    if (list->partial
        && emage_overlay_strings(over, 0x00080061, "CS", modalities,
                                 nmodalities)
           != EMAGE_OK)
    {
        return NGX_ERROR;
    }

    if (list->search->query.level == EMAGE_LEVEL_STUDY
        && ngx_http_emage_list_url(list, EMAGE_LEVEL_STUDY) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (list->partial
        && (emage_overlay_number(over, 0x00201206, "IS", nseries) != EMAGE_OK
            || emage_overlay_number(over, 0x00201208, "IS", ninstances)
               != EMAGE_OK))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_emage_list_series(ngx_http_emage_list_t *list)
{
    uint32_t                  i, n;
    ngx_int_t                 rc;
    emage_str_t               asked;
    emage_rows_t             *series;
    emage_overlay_t          *over;
    ngx_http_emage_search_t  *search;

    search = list->search;
    series = list->rows->series;
    asked = search->ctx->resource.series;
    over = &list->overlays[EMAGE_LEVEL_SERIES];

    list->over[EMAGE_LEVEL_SERIES] = over;

    for (i = 0; i < series->n; i++) {

        if (asked.len != 0 && !emage_str_eq(series->rows[i].uid, asked)) {
            continue;
        }

        n = ngx_http_emage_list_count(list, i);

        if (n == 0) {
            continue;
        }

        list->row[EMAGE_LEVEL_SERIES] = &series->rows[i];
        emage_overlay_init(over);

        if (search->query.level == EMAGE_LEVEL_SERIES
            && ngx_http_emage_list_url(list, EMAGE_LEVEL_SERIES) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (list->partial
            && emage_overlay_number(over, 0x00201209, "IS", n) != EMAGE_OK)
        {
            return NGX_ERROR;
        }

        if (!emage_query_match(&search->query, EMAGE_LEVEL_SERIES,
                               &series->rows[i], over))
        {
            continue;
        }

        rc = search->query.level == EMAGE_LEVEL_SERIES
             ? ngx_http_emage_list_row(list)
             : ngx_http_emage_list_instances(list, i);

        if (rc != NGX_OK) {
            return rc == NGX_DONE ? NGX_OK : rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_emage_list_instances(ngx_http_emage_list_t *list, uint32_t series)
{
    uint32_t            i;
    ngx_int_t           rc;
    emage_rows_t       *instances;
    emage_overlay_t    *over;
    const emage_row_t  *row;

    rc = ngx_http_emage_rows_instances(list->rows, series, list->log,
                                       &list->reads);
    if (rc != NGX_OK) {
        return rc;
    }

    instances = list->rows->instances[series];
    over = &list->overlays[EMAGE_LEVEL_INSTANCE];

    list->over[EMAGE_LEVEL_INSTANCE] = over;

    for (i = 0; i < instances->n; i++) {
        row = &instances->rows[i];

        if (!ngx_http_emage_list_may(list, row->cls, row->uid)
            || !emage_query_match(&list->search->query, EMAGE_LEVEL_INSTANCE,
                                  row, NULL))
        {
            continue;
        }

        list->row[EMAGE_LEVEL_INSTANCE] = row;
        emage_overlay_init(over);

        if (list->take != 0
            && ngx_http_emage_list_url(list, EMAGE_LEVEL_INSTANCE) != NGX_OK)
        {
            return NGX_ERROR;
        }

        rc = ngx_http_emage_list_row(list);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/* RetrieveURL, a path from the root as in the metadata. */

static ngx_int_t
ngx_http_emage_list_url(ngx_http_emage_list_t *list, emage_level_t level)
{
    u_char       *p;
    ngx_uint_t    i;
    ngx_str_t    *prefix;
    emage_str_t   url;
    u_char        text[1024];

    static const char  *names[] = { "studies", "/series", "/instances" };

    prefix = &list->search->ctx->conf->prefix;

    if (prefix->len > sizeof(text) / 2) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(text, prefix->data, prefix->len);

    for (i = 0; i <= (ngx_uint_t) level; i++) {
        p = ngx_sprintf(p, "%s/%*s", names[i], list->row[i]->uid.len,
                        list->row[i]->uid.data);
    }

    url.data = (char *) text;
    url.len = p - text;

    return emage_overlay_strings(&list->overlays[level], 0x00081190, "UR",
                                 &url, 1)
           == EMAGE_OK ? NGX_OK : NGX_ERROR;
}


/* NGX_DONE: the page is full. */

static ngx_int_t
ngx_http_emage_list_row(ngx_http_emage_list_t *list)
{
    emage_buf_t              *body;
    ngx_http_emage_search_t  *search;

    if (list->take == 0) {
        list->nrows++;
        return NGX_OK;
    }

    if (list->skip != 0) {
        list->skip--;
        return NGX_OK;
    }

    search = list->search;
    body = &search->body;

    /* room for the rest of a row is left at the end */

    if (list->nrows == list->take
        || body->len > NGX_HTTP_EMAGE_SEARCH_BODY / 2)
    {
        return NGX_DONE;
    }

    (void) emage_buf_add(body, body->len == 0 ? "[" : ",", 1);

    if (emage_query_write(&search->query, search->from, list->row, list->over,
                          body)
        != EMAGE_OK)
    {
        return NGX_ERROR;
    }

    list->nrows++;

    return NGX_OK;
}
