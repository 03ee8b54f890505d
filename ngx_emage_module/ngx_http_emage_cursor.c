
/*
 * Copyright (C) The e-mage authors
 *
 * Walking over a plan: framing and slices, one after the other.
 */


#include "ngx_http_emage_plan.h"

#include <zlib.h>


static size_t ngx_http_emage_plan_framing(ngx_http_emage_plan_t *plan);
static ngx_int_t ngx_http_emage_plan_file(ngx_http_emage_plan_t *plan,
    emage_index_instance_t *instance, uint32_t n,
    ngx_http_emage_segment_t *segment);
static ngx_int_t ngx_http_emage_plan_slice(ngx_http_emage_plan_t *plan,
    ngx_http_emage_part_t *part, uint32_t n,
    ngx_http_emage_segment_t *segment);


ngx_int_t
ngx_http_emage_plan_measure(ngx_http_emage_plan_t *plan)
{
    uLong                      crc;
    ngx_int_t                  rc;
    ngx_uint_t                 i;
    emage_index_instance_t     instance;
    ngx_http_emage_part_t     *part;
    ngx_http_emage_segment_t   segment;

    if (plan->gzip) {
        crc = crc32(0, (const Bytef *) "[", 1);
        plan->inflated = 1;

        part = plan->parts.elts;

        for (i = 0; i < plan->parts.nelts; i++) {

            if (i > 0) {
                crc = crc32(crc, (const Bytef *) ",", 1);
                plan->inflated++;
            }

            if (emage_series_index_get(
                    ngx_http_emage_series_index(part[i].series),
                    part[i].instance, &instance)
                != EMAGE_OK)
            {
                return NGX_ERROR;
            }

            crc = crc32_combine(crc, instance.meta_crc,
                                (z_off_t) instance.meta_size);
            plan->inflated += (uint32_t) instance.meta_size;
        }

        plan->crc = (uint32_t) crc32(crc, (const Bytef *) "]", 1);
        plan->inflated++;
    }

    ngx_http_emage_plan_rewind(plan);

    for ( ;; ) {
        rc = ngx_http_emage_plan_next(plan, &segment);

        if (rc == NGX_DONE) {
            break;
        }

        if (rc != NGX_OK
            || segment.length < 0
            || segment.length > NGX_MAX_OFF_T_VALUE - plan->length)
        {
            return NGX_ERROR;
        }

        plan->length += segment.length;

        if (segment.data == NULL) {
            plan->data_length += segment.length;
        }
    }

    ngx_http_emage_plan_rewind(plan);

    return NGX_OK;
}


void
ngx_http_emage_plan_rewind(ngx_http_emage_plan_t *plan)
{
    plan->cursor = NGX_HTTP_EMAGE_CURSOR_FRAMING;
    plan->part = 0;
    plan->slice = 0;
}


ngx_int_t
ngx_http_emage_plan_next(ngx_http_emage_plan_t *plan,
    ngx_http_emage_segment_t *segment)
{
    ngx_int_t               rc;
    ngx_http_emage_part_t  *part;

    part = plan->parts.elts;

    for ( ;; ) {

        switch (plan->cursor) {

        case NGX_HTTP_EMAGE_CURSOR_FRAMING:
        case NGX_HTTP_EMAGE_CURSOR_END:

            ngx_memzero(segment, sizeof(ngx_http_emage_segment_t));
            segment->data = plan->framing;
            segment->length = (off_t) ngx_http_emage_plan_framing(plan);

            plan->slice = 0;
            plan->cursor = plan->cursor == NGX_HTTP_EMAGE_CURSOR_END
                           ? NGX_HTTP_EMAGE_CURSOR_DONE
                           : NGX_HTTP_EMAGE_CURSOR_DATA;

            if (segment->length != 0) {
                return NGX_OK;
            }

            break;

        case NGX_HTTP_EMAGE_CURSOR_DATA:

            rc = ngx_http_emage_plan_slice(plan, &part[plan->part],
                                           plan->slice++, segment);

            if (rc == NGX_ERROR) {
                return NGX_ERROR;
            }

            if (rc == NGX_DONE) {
                plan->part++;
                plan->cursor = plan->part == plan->parts.nelts
                               ? NGX_HTTP_EMAGE_CURSOR_END
                               : NGX_HTTP_EMAGE_CURSOR_FRAMING;
                break;
            }

            if (segment->length != 0) {
                return NGX_OK;
            }

            break;

        default:
            return NGX_DONE;
        }
    }
}


/* What stands before part `part`, or after the last one; its length. */

static size_t
ngx_http_emage_plan_framing(ngx_http_emage_plan_t *plan)
{
    u_char                 *p;
    ngx_uint_t              end;
    emage_str_t             type;
    emage_stored_t          kind;
    ngx_http_emage_part_t  *part;

    p = plan->framing;
    end = plan->cursor == NGX_HTTP_EMAGE_CURSOR_END;

    if (plan->gzip) {

        /* RFC 1952: header; RFC 1951: stored blocks of one byte; trailer */

        if (plan->part == 0) {
            p = ngx_cpymem(p, "\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);
        }

        p = ngx_cpymem(p, end ? "\1\1\0\xfe\xff]"
                              : plan->part == 0 ? "\0\1\0\xfe\xff["
                                                : "\0\1\0\xfe\xff,", 6);

        if (end) {
            *p++ = (u_char) plan->crc;
            *p++ = (u_char) (plan->crc >> 8);
            *p++ = (u_char) (plan->crc >> 16);
            *p++ = (u_char) (plan->crc >> 24);
            *p++ = (u_char) plan->inflated;
            *p++ = (u_char) (plan->inflated >> 8);
            *p++ = (u_char) (plan->inflated >> 16);
            *p++ = (u_char) (plan->inflated >> 24);
        }

        return p - plan->framing;
    }

    if (plan->form != EMAGE_FORM_MULTIPART) {
        return 0;
    }

    if (end) {
        p = ngx_sprintf(p, CRLF "--%*s--" CRLF, sizeof(plan->boundary),
                        plan->boundary);
        return p - plan->framing;
    }

    part = plan->parts.elts;

    if (ngx_http_emage_plan_kind(plan, &part[plan->part], &kind) != NGX_OK) {
        return 0;
    }

    type = plan->as_octets ? NGX_HTTP_EMAGE_OCTETS : kind.media_type;

    p = ngx_sprintf(p, "%s--%*s" CRLF "Content-Type: %*s",
                    plan->part == 0 ? "" : CRLF, sizeof(plan->boundary),
                    plan->boundary, type.len, type.data);

    if (kind.transfer_syntax.len != 0) {
        p = ngx_sprintf(p, ";transfer-syntax=%*s", kind.transfer_syntax.len,
                        kind.transfer_syntax.data);
    }

    p = ngx_cpymem(p, CRLF CRLF, sizeof(CRLF CRLF) - 1);

    return p - plan->framing;
}


/* A part that is one file, or one chunk of metadata. */

static ngx_int_t
ngx_http_emage_plan_file(ngx_http_emage_plan_t *plan,
    emage_index_instance_t *instance, uint32_t n,
    ngx_http_emage_segment_t *segment)
{
    if (n > 0) {
        return NGX_DONE;
    }

    if (plan->gzip) {
        segment->kind = NGX_HTTP_EMAGE_FILE_METADATA;
        segment->offset = (off_t) instance->meta_offset;
        segment->length = (off_t) instance->meta_length;

        return NGX_OK;
    }

    switch (plan->kind) {

    case EMAGE_RESOURCE_RENDERED:
        segment->kind = NGX_HTTP_EMAGE_FILE_RENDERED;
        segment->length = (off_t) instance->rendered_size;
        break;

    case EMAGE_RESOURCE_THUMBNAIL:
    case EMAGE_RESOURCE_SERIES_THUMBNAIL:
        segment->kind = NGX_HTTP_EMAGE_FILE_THUMBNAIL;
        segment->length = (off_t) instance->thumbnail_size;
        break;

    default:
        segment->kind = NGX_HTTP_EMAGE_FILE_OBJECT;
        segment->length = (off_t) instance->file_size;
    }

    return NGX_OK;
}


/* Slice `n` of a part; NGX_DONE past the last. */

static ngx_int_t
ngx_http_emage_plan_slice(ngx_http_emage_plan_t *plan,
    ngx_http_emage_part_t *part, uint32_t n, ngx_http_emage_segment_t *segment)
{
    emage_rc_t                   rc;
    emage_slice_t                slice;
    emage_index_item_t           item;
    emage_index_instance_t       instance;
    const emage_series_index_t  *idx;

    idx = ngx_http_emage_series_index(part->series);

    if (emage_series_index_get(idx, part->instance, &instance) != EMAGE_OK) {
        return NGX_ERROR;
    }

    ngx_memzero(segment, sizeof(ngx_http_emage_segment_t));
    segment->series = part->series;
    segment->instance = part->instance;

    switch (plan->kind) {

    case EMAGE_RESOURCE_FRAMES:
        rc = emage_series_index_frame(idx, &instance, part->item, &item);
        break;

    case EMAGE_RESOURCE_BULKDATA:
        rc = emage_series_index_bulk_at(idx, &instance, part->item, &item);
        break;

    case EMAGE_RESOURCE_RENDERED:

        if (part->item != 0) {
            rc = emage_series_index_bulk_at(idx, &instance, part->item - 1,
                                            &item);
            break;
        }

        /* fall through */

    default:
        return ngx_http_emage_plan_file(plan, &instance, n, segment);
    }

    if (rc != EMAGE_OK) {
        return NGX_ERROR;
    }

    if (n >= item.nslices) {
        return NGX_DONE;
    }

    if (emage_series_index_slice(idx, &item, n, &slice) != EMAGE_OK) {
        return NGX_ERROR;
    }

    segment->kind = slice.file;
    segment->offset = (off_t) slice.offset;
    segment->length = (off_t) slice.length;

    return NGX_OK;
}
