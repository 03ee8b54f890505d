
/*
 * Copyright (C) The e-mage authors
 */


/* the C headers say nothing about C++ */

extern "C" {
#include "bridge.h"
}

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcrledrg.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmimage/diregist.h>
#include <dcmtk/dcmimgle/dcmimage.h>
#include <dcmtk/dcmjpeg/dipijpeg.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>
#include <dcmtk/oflog/oflog.h>

#include <memory>
#include <new>


#define EMAGE_RENDERED_QUALITY   90
#define EMAGE_THUMBNAIL_QUALITY  80


static emage_rc_t emage_dcmtk_swap32(DcmDataset *dataset);
static void emage_dcmtk_decoders(void);
static bool emage_dcmtk_draw(const char *path, uint32_t frame,
    const char *full, const char *thumb);
static DicomImage *emage_dcmtk_shrink(const DicomImage &image);
static bool emage_dcmtk_jpeg(DicomImage &image, unsigned quality,
    const char *path);


bool
emage_dcmtk_init(void)
{
    try {
        OFLog::configure(OFLogger::OFF_LOG_LEVEL);

        /* group lengths and items come out as they went in, or are refused */

        dcmEnableUnknownVRGeneration.set(OFTrue);
        dcmEnableAutomaticInputDataCorrection.set(OFFalse);

        return dcmDataDict.isDictionaryLoaded();

    } catch (...) {
        return false;
    }
}


void
emage_dcmtk_vr(uint32_t tag, char vr[2])
{
    vr[0] = 'U';
    vr[1] = 'N';

    try {
        DcmVR        v;
        DcmTagKey    key((Uint16) (tag >> 16), (Uint16) (tag & 0xffff));
        const char  *name;

        const DcmDictEntry  *entry;
        DcmEVR               evr;

        const DcmDataDictionary &dict = dcmDataDict.rdlock();

        entry = dict.findEntry(key, NULL);
        evr = (entry != NULL) ? entry->getEVR() : EVR_UN;

        dcmDataDict.rdunlock();

        /* bytes or words: in Implicit VR LE always words (PS3.5 annex A.1) */

        if (evr == EVR_ox || evr == EVR_px || evr == EVR_lt) {
            evr = EVR_OW;
        }

        v.setVR(evr);

        name = DcmVR(v.getValidEVR()).getVRName();

        if (name != NULL && name[0] >= 'A' && name[0] <= 'Z') {
            vr[0] = name[0];
            vr[1] = name[1];
        }

    } catch (...) {
        /* "UN" stays */
    }
}


/*
 * DCMTK has swapped the two bytes of each 16-bit word; numbers of 32 bits want
 * their words swapped as well.
 */

static emage_rc_t
emage_dcmtk_swap32(DcmDataset *dataset)
{
    Uint16          *words;
    Uint16           bits;
    unsigned long    i, n;
    DcmElement      *pixels;

    if (dataset->findAndGetUint16(DCM_BitsAllocated, bits).bad()
        || bits != 32
        || dataset->findAndGetElement(DCM_PixelData, pixels).bad())
    {
        return EMAGE_OK;
    }

    n = pixels->getLength() / 2;

    if (pixels->getUint16Array(words).bad() || words == NULL) {
        return EMAGE_ERROR;
    }

    for (i = 0; i + 1 < n; i += 2) {
        Uint16  w = words[i];

        words[i] = words[i + 1];
        words[i + 1] = w;
    }

    return EMAGE_OK;
}


emage_rc_t
emage_dcmtk_reencode(const char *from, const char *to, bool swap32,
    emage_error_t *err)
{
    try {
        OFCondition    cond;
        DcmFileFormat  file;

        cond = file.loadFile(from, EXS_Unknown, EGL_noChange, DCM_MaxReadLength,
                             ERM_fileOnly);

        if (cond.good()) {
            cond = file.loadAllDataIntoMemory();
        }

        if (cond.good() && swap32
            && emage_dcmtk_swap32(file.getDataset()) != EMAGE_OK)
        {
            emage_error_set(err, "big endian pixel data of 32 bits cannot be "
                            "read");
            return EMAGE_ERROR;
        }

        if (cond.good()) {
            cond = file.getDataset()->chooseRepresentation(
                       EXS_LittleEndianExplicit, NULL);
        }

        if (cond.good()) {
            cond = file.saveFile(to, EXS_LittleEndianExplicit,
                                 EET_ExplicitLength, EGL_recalcGL,
                                 EPD_noChange, 0, 0, EWM_fileformat);
        }

        if (cond.good()) {
            return EMAGE_OK;
        }

        emage_error_set(err, "cannot be re-encoded as explicit VR little "
                        "endian: %s", cond.text());
        return EMAGE_ERROR;

    } catch (const std::bad_alloc &) {
        emage_error_set(err, "re-encoding needs more memory than a worker "
                        "may use");
        return EMAGE_NOMEM;

    } catch (...) {
        emage_error_set(err, "the DICOM toolkit failed while re-encoding");
        return EMAGE_ERROR;
    }
}


/* Here and not in init: what is kept as it came is never decoded. */

static void
emage_dcmtk_decoders(void)
{
    DJDecoderRegistration::registerCodecs();
    DJLSDecoderRegistration::registerCodecs();
    DcmRLEDecoderRegistration::registerCodecs();
}


static DicomImage *
emage_dcmtk_shrink(const DicomImage &image)
{
    unsigned long  w, h, side;

    w = image.getWidth();
    h = image.getHeight();
    side = (w > h) ? w : h;

    if (side > EMAGE_THUMBNAIL_SIDE) {
        w = w * EMAGE_THUMBNAIL_SIDE / side;
        h = h * EMAGE_THUMBNAIL_SIDE / side;
    }

    return image.createScaledImage((w == 0) ? 1UL : w, (h == 0) ? 1UL : h, 1,
                                   0);
}


static bool
emage_dcmtk_jpeg(DicomImage &image, unsigned quality, const char *path)
{
    DiJPEGPlugin  plugin;

    plugin.setQuality(quality);

    return image.getStatus() == EIS_Normal
           && image.writePluginFormat(&plugin, path) != 0;
}


static bool
emage_dcmtk_draw(const char *path, uint32_t frame, const char *full,
    const char *thumb)
{
    DcmFileFormat  file;

    if (file.loadFile(path).bad()) {
        return false;
    }

    /* of many frames the one is read */

    DicomImage  image(file.getDataset(),
                      file.getDataset()->getOriginalXfer(),
                      CIF_UsePartialAccessToPixelData, frame, 1);

    if (image.getStatus() != EIS_Normal || image.getWidth() == 0
        || image.getHeight() == 0)
    {
        return false;
    }

    if (image.isMonochrome() && !image.setWindow(0UL)
        && !image.setVoiLut(0UL))
    {
        (void) image.setMinMaxWindow();
    }

    if (!emage_dcmtk_jpeg(image, EMAGE_RENDERED_QUALITY, full)) {
        return false;
    }

    std::unique_ptr<DicomImage>  small(emage_dcmtk_shrink(image));

    return small != nullptr
           && emage_dcmtk_jpeg(*small, EMAGE_THUMBNAIL_QUALITY, thumb);
}


emage_rc_t
emage_dcmtk_render(const char *path, uint32_t frame, const char *full,
    const char *thumb, emage_error_t *err)
{
    try {
        emage_dcmtk_decoders();

        if (emage_dcmtk_draw(path, frame, full, thumb)) {
            return EMAGE_OK;
        }

        emage_error_set(err, "cannot be drawn: the DICOM toolkit does not "
                        "decode it");
        return EMAGE_ERROR;

    } catch (const std::bad_alloc &) {
        emage_error_set(err, "drawing needs more memory than a worker may "
                        "use");
        return EMAGE_NOMEM;

    } catch (...) {
        emage_error_set(err, "the DICOM toolkit failed while drawing");
        return EMAGE_ERROR;
    }
}
