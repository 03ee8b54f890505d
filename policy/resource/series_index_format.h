
/*
 * Copyright (C) The e-mage authors
 *
 * Where every field of series.idx stands (docs/store-format.md).  Private to
 * the reader and the writer.
 */


#ifndef EMAGE_SERIES_INDEX_FORMAT_H
#define EMAGE_SERIES_INDEX_FORMAT_H


#include <emage/base.h>


#define EMAGE_IDX_MAGIC         "EMAGESIX"
#define EMAGE_IDX_VERSION       2

/* header */

#define EMAGE_IDX_HEADER        64
#define EMAGE_IDX_H_VERSION     8
#define EMAGE_IDX_H_CRC         12   /* of the file with these bytes zero */
#define EMAGE_IDX_H_LENGTH      16   /* of the file */
#define EMAGE_IDX_H_INSTANCES   24
#define EMAGE_IDX_H_ITEMS       28
#define EMAGE_IDX_H_SLICES      32
#define EMAGE_IDX_H_STRINGS     36   /* bytes */
#define EMAGE_IDX_H_META        40   /* size of metadata.z */
#define EMAGE_IDX_H_ZERO        48

/* instance */

#define EMAGE_IDX_INSTANCE      96
#define EMAGE_IDX_N_FILE        0
#define EMAGE_IDX_N_EXTRA       8
#define EMAGE_IDX_N_META_OFF    16
#define EMAGE_IDX_N_META_LEN    24
#define EMAGE_IDX_N_META_SIZE   32
#define EMAGE_IDX_N_META_CRC    40
#define EMAGE_IDX_N_CLASS       44
#define EMAGE_IDX_N_ITEM        48
#define EMAGE_IDX_N_FRAMES      52
#define EMAGE_IDX_N_BULK        56
#define EMAGE_IDX_N_UID         60   /* offset in the strings */
#define EMAGE_IDX_N_SOP         64
#define EMAGE_IDX_N_TS          68
#define EMAGE_IDX_N_UID_LEN     72
#define EMAGE_IDX_N_SOP_LEN     74
#define EMAGE_IDX_N_TS_LEN      76
#define EMAGE_IDX_N_ZERO        78
#define EMAGE_IDX_N_RENDERED    80
#define EMAGE_IDX_N_THUMBNAIL   88

/* item: a frame or a bulk value */

#define EMAGE_IDX_ITEM          32
#define EMAGE_IDX_I_LENGTH      0
#define EMAGE_IDX_I_SLICE       8
#define EMAGE_IDX_I_SLICES      12
#define EMAGE_IDX_I_PATH        16
#define EMAGE_IDX_I_MEDIA       20
#define EMAGE_IDX_I_PATH_LEN    24
#define EMAGE_IDX_I_MEDIA_LEN   26
#define EMAGE_IDX_I_ZERO        28

/* slice */

#define EMAGE_IDX_SLICE         24
#define EMAGE_IDX_S_OFFSET      0
#define EMAGE_IDX_S_LENGTH      8
#define EMAGE_IDX_S_FILE        16
#define EMAGE_IDX_S_ZERO        20


static inline uint16_t
emage_idx_get16(const unsigned char *p)
{
    return (uint16_t) (p[0] | p[1] << 8);
}


static inline uint32_t
emage_idx_get32(const unsigned char *p)
{
    return (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16
           | (uint32_t) p[3] << 24;
}


static inline uint64_t
emage_idx_get64(const unsigned char *p)
{
    return (uint64_t) emage_idx_get32(p)
           | (uint64_t) emage_idx_get32(p + 4) << 32;
}


static inline void
emage_idx_put16(unsigned char *p, uint16_t n)
{
    p[0] = (unsigned char) n;
    p[1] = (unsigned char) (n >> 8);
}


static inline void
emage_idx_put32(unsigned char *p, uint32_t n)
{
    emage_idx_put16(p, (uint16_t) n);
    emage_idx_put16(p + 2, (uint16_t) (n >> 16));
}


static inline void
emage_idx_put64(unsigned char *p, uint64_t n)
{
    emage_idx_put32(p, (uint32_t) n);
    emage_idx_put32(p + 4, (uint32_t) (n >> 32));
}


/* CRC-32 of an index, its own field taken as zero. */

uint32_t emage_idx_crc(const unsigned char *data, size_t len);

/* Whether a media type is fit for a header line: token, "/", token. */

bool emage_idx_media_valid(emage_str_t media);


#endif /* EMAGE_SERIES_INDEX_FORMAT_H */
