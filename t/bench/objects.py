#!/usr/bin/python3
#
# Copyright (C) The e-mage authors
#
# One-frame objects of 2, 64 and 512 KiB of random pixels.
#
# usage: objects.py DIR

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "..", "conf", "demo"))

from synthetic import CT, Patient, header, image, save          # noqa: E402

patient = Patient(90, "BENCH", "Bench^Mark")
made = {}

for n, (name, rows, columns) in enumerate((("2k", 32, 32), ("64k", 180, 182),
                                           ("512k", 512, 512)), 1):
    ds = image(header(patient, CT, "CT", 1, 1, n), rows, columns)
    ds.PixelData = os.urandom(rows * columns * 2)
    ds["PixelData"].VR = "OW"
    save(ds, f"{sys.argv[1]}/{name}.dcm")
    made[name] = {"study": ds.StudyInstanceUID,
                  "series": ds.SeriesInstanceUID,
                  "instance": ds.SOPInstanceUID}

json.dump(made, sys.stdout)
