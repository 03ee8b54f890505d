#!/usr/bin/python3
#
# Copyright (C) The e-mage authors
#
# Studies to search in: few pixels, many rows.  Prints what was made as JSON:
# name -> study, series, instance.
#
# usage: search_set.py DIR [many=STUDIES]

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "..", "conf", "demo"))

from pydicom.dataset import Dataset                             # noqa: E402
from pydicom.sequence import Sequence                           # noqa: E402

from synthetic import (CT, MR, Patient, header, image, report,  # noqa: E402
                       save)

ZOE = Patient(21, "S-21", "Müller^Zoë", "F", "19700102")
JANE = Patient(22, "S-22", "Doe^Jane", "F", "19800203")
SAM = Patient(23, "S-23", "Secret^Sam", "M")
PAGE = Patient(24, "S-24", "Page^Peter", "M")
LONE = Patient(25, "S-25", "Lone^Lea", "F")
MANY = Patient(26, "S-26", "Many^Mara", "F")

made = {}


def keep(name, ds, directory, **attributes):
    for k, v in attributes.items():
        setattr(ds, k, v)

    save(ds, f"{directory}/{name}.dcm")
    made[name] = {"study": ds.StudyInstanceUID,
                  "series": ds.SeriesInstanceUID,
                  "instance": ds.SOPInstanceUID}


def pixels(patient, sop_class, modality, *where):
    ds = image(header(patient, sop_class, modality, *where), 4, 4)
    ds.PixelData = b"\0\1" * 16
    ds["PixelData"].VR = "OW"
    return ds


def main(d, many):
    # two series of CT and a text report, of which the status is not yet known

    for series in (1, 2):
        for n in (1, 2, 3):
            ds = pixels(ZOE, CT, "CT", 1, series, n)
            request = Dataset()
            request.ScheduledProcedureStepID = f"STEP{series}"
            ds.RequestAttributesSequence = Sequence([request])
            keep(f"zoe{series}{n}", ds, d, StudyDate="20240110",
                 StudyTime="101500.25", StudyDescription="CHEST, routine")

    keep("report", report(ZOE, "text"), d, StudyDate="20240110",
         StudyTime="101500.25", StudyDescription="CHEST, routine")

    keep("mr", pixels(ZOE, MR, "MR", 2, 1, 1), d, StudyDate="20250315",
         StudyDescription="Knee left")

    keep("jane", pixels(JANE, CT, "CT"), d, StudyDate="20230501")
    keep("undated", pixels(JANE, CT, "CT", 2), d, StudyDate="")
    keep("sam", pixels(SAM, CT, "CT"), d)
    keep("lone", report(LONE, "alone"), d)

    for n in range(1, 13):
        keep(f"page{n}", pixels(PAGE, CT, "CT", n), d,
             StudyDate=f"2022{(n + 1) // 2:02}01")

    for n in range(1, many + 1):
        keep(f"many{n}", pixels(MANY, CT, "CT", n), d)

    json.dump(made, sys.stdout, indent=1)


if __name__ == "__main__":
    options = dict(a.split("=", 1) for a in sys.argv[2:])
    main(sys.argv[1], int(options.get("many", "0")))
