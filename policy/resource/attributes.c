
/*
 * Copyright (C) The e-mage authors
 */


#include "attributes.h"

#include <string.h>


#define emage_def(tag, sub, level, match, personal, keyword)                 \
    { tag, sub, EMAGE_LEVEL_##level, EMAGE_MATCH_##match, personal,          \
      { keyword, sizeof(keyword) - 1 } }


const emage_attribute_def_t  emage_attribute_defs[] = {
    emage_def(0x00080005, 0, STUDY, NONE, false, "SpecificCharacterSet"),
    emage_def(0x00080016, 0, INSTANCE, UID, false, "SOPClassUID"),
    emage_def(0x00080018, 0, INSTANCE, UID, false, "SOPInstanceUID"),
    emage_def(0x00080020, 0, STUDY, DATE, false, "StudyDate"),
    emage_def(0x00080021, 0, SERIES, DATE, false, "SeriesDate"),
    emage_def(0x00080030, 0, STUDY, TIME, false, "StudyTime"),
    emage_def(0x00080031, 0, SERIES, TIME, false, "SeriesTime"),
    emage_def(0x00080050, 0, STUDY, TEXT, true, "AccessionNumber"),
    emage_def(0x00080056, 0, STUDY, CODE, false, "InstanceAvailability"),
    emage_def(0x00080060, 0, SERIES, CODE, false, "Modality"),
    emage_def(0x00080061, 0, STUDY, CODE, false, "ModalitiesInStudy"),
    emage_def(0x00080090, 0, STUDY, NAME, true, "ReferringPhysicianName"),
    emage_def(0x00080201, 0, STUDY, TEXT, false, "TimezoneOffsetFromUTC"),
    emage_def(0x00081030, 0, STUDY, TEXT, true, "StudyDescription"),
    emage_def(0x0008103E, 0, SERIES, TEXT, true, "SeriesDescription"),
    emage_def(0x00081190, 0, STUDY, NONE, false, "RetrieveURL"),
    emage_def(0x00100010, 0, STUDY, NAME, true, "PatientName"),
    emage_def(0x00100020, 0, STUDY, TEXT, true, "PatientID"),
    emage_def(0x00100021, 0, STUDY, TEXT, true, "IssuerOfPatientID"),
    emage_def(0x00100030, 0, STUDY, DATE, true, "PatientBirthDate"),
    emage_def(0x00100040, 0, STUDY, CODE, false, "PatientSex"),
    emage_def(0x00101002, 0, STUDY, NONE, false, "OtherPatientIDsSequence"),
    emage_def(0x00101002, 0x00100020, STUDY, TEXT, true, "PatientID"),
    emage_def(0x00101002, 0x00100021, STUDY, TEXT, true,
              "IssuerOfPatientID"),
    emage_def(0x0020000D, 0, STUDY, UID, false, "StudyInstanceUID"),
    emage_def(0x0020000E, 0, SERIES, UID, false, "SeriesInstanceUID"),
    emage_def(0x00200010, 0, STUDY, TEXT, true, "StudyID"),
    emage_def(0x00200011, 0, SERIES, NUMBER, false, "SeriesNumber"),
    emage_def(0x00200013, 0, INSTANCE, NUMBER, false, "InstanceNumber"),
    emage_def(0x00201206, 0, STUDY, NUMBER, false,
              "NumberOfStudyRelatedSeries"),
    emage_def(0x00201208, 0, STUDY, NUMBER, false,
              "NumberOfStudyRelatedInstances"),
    emage_def(0x00201209, 0, SERIES, NUMBER, false,
              "NumberOfSeriesRelatedInstances"),
    emage_def(0x00280008, 0, INSTANCE, NUMBER, false, "NumberOfFrames"),
    emage_def(0x00280010, 0, INSTANCE, NUMBER, false, "Rows"),
    emage_def(0x00280011, 0, INSTANCE, NUMBER, false, "Columns"),
    emage_def(0x00280100, 0, INSTANCE, NUMBER, false, "BitsAllocated"),
    emage_def(0x00400244, 0, SERIES, DATE, false,
              "PerformedProcedureStepStartDate"),
    emage_def(0x00400245, 0, SERIES, TIME, false,
              "PerformedProcedureStepStartTime"),
    emage_def(0x00400275, 0, SERIES, NONE, false,
              "RequestAttributesSequence"),
    emage_def(0x00400275, 0x00400009, SERIES, TEXT, true,
              "ScheduledProcedureStepID"),
    emage_def(0x00400275, 0x00401001, SERIES, TEXT, true,
              "RequestedProcedureID"),
    emage_def(0x0040A043, 0, INSTANCE, NONE, false,
              "ConceptNameCodeSequence"),
    emage_def(0x0040A043, 0x00080100, INSTANCE, TEXT, false, "CodeValue"),
    emage_def(0x0040A043, 0x00080102, INSTANCE, TEXT, false,
              "CodingSchemeDesignator"),
    emage_def(0x0040A491, 0, INSTANCE, CODE, false, "CompletionFlag"),
    emage_def(0x0040A493, 0, INSTANCE, CODE, false, "VerificationFlag"),
    emage_def(0x00420010, 0, INSTANCE, TEXT, true, "DocumentTitle")
};

const uint32_t  emage_attribute_ndefs = sizeof(emage_attribute_defs)
                                        / sizeof(emage_attribute_defs[0]);

_Static_assert(sizeof(emage_attribute_defs) / sizeof(emage_attribute_defs[0])
               <= EMAGE_ATTRIBUTES_MAX, "a bit for each");


static bool emage_attribute_hex(emage_str_t s, uint32_t *tag);
static bool emage_attribute_tag(emage_str_t s, uint32_t outer,
    uint32_t *tag);


int
emage_attribute_find(uint32_t tag, uint32_t sub)
{
    uint32_t                      low, high, mid;
    const emage_attribute_def_t  *def;

    low = 0;
    high = emage_attribute_ndefs;

    while (low < high) {
        mid = low + (high - low) / 2;
        def = &emage_attribute_defs[mid];

        if (def->tag == tag && def->sub == sub) {
            return (int) mid;
        }

        if (def->tag < tag || (def->tag == tag && def->sub < sub)) {
            low = mid + 1;

        } else {
            high = mid;
        }
    }

    return -1;
}


static bool
emage_attribute_hex(emage_str_t s, uint32_t *tag)
{
    char      c;
    size_t    i;
    uint32_t  digit;

    if (s.len != 8) {
        return false;
    }

    *tag = 0;

    for (i = 0; i < 8; i++) {
        c = s.data[i];

        if (c >= '0' && c <= '9') {
            digit = (uint32_t) (c - '0');

        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            digit = (uint32_t) ((c | 0x20) - 'a' + 10);

        } else {
            return false;
        }

        *tag = (*tag << 4) | digit;
    }

    return true;
}


/* A tag or keyword; of the items of sequence `outer` if that is not 0. */

static bool
emage_attribute_tag(emage_str_t s, uint32_t outer, uint32_t *tag)
{
    uint32_t                      i;
    const emage_attribute_def_t  *def;

    if (emage_attribute_hex(s, tag)) {
        return true;
    }

    for (i = 0; i < emage_attribute_ndefs; i++) {
        def = &emage_attribute_defs[i];

        if ((outer == 0) != (def->sub == 0)
            || (outer != 0 && def->tag != outer)
            || !emage_str_eq(def->keyword, s))
        {
            continue;
        }

        *tag = (outer == 0) ? def->tag : def->sub;

        return true;
    }

    return false;
}


int
emage_attribute_named(emage_str_t name)
{
    uint32_t      tag, sub;
    const char   *dot;
    emage_str_t   first, rest;

    first = name;
    sub = 0;

    dot = (name.len == 0) ? NULL : memchr(name.data, '.', name.len);

    if (dot != NULL) {
        first.len = (size_t) (dot - name.data);
    }

    if (!emage_attribute_tag(first, 0, &tag)) {
        return -1;
    }

    if (dot != NULL) {
        rest.data = dot + 1;
        rest.len = name.len - first.len - 1;

        if (!emage_attribute_tag(rest, tag, &sub) || sub == 0) {
            return -1;
        }
    }

    return emage_attribute_find(tag, sub);
}


bool
emage_attribute_like(emage_str_t name)
{
    uint32_t     tag;
    const char  *dot;

    dot = (name.len == 0) ? NULL : memchr(name.data, '.', name.len);

    if (dot != NULL) {
        name.len = (size_t) (dot - name.data);
    }

    return emage_attribute_hex(name, &tag)
           || (name.len != 0 && name.data[0] >= 'A' && name.data[0] <= 'Z');
}
