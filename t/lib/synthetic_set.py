#!/usr/bin/python3
#
# Copyright (C) The e-mage authors
#
# The tests' own objects: one of every shape that the store cuts into slices.
# Prints what was made as JSON: name -> path and identifiers.
#
# usage: synthetic_set.py DIR [big=MIB] [only=NAME,NAME...]

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "..", "conf", "demo"))

from pydicom import uid                                         # noqa: E402
from pydicom.dataset import Dataset                             # noqa: E402
from pydicom.encaps import encapsulate, encapsulate_extended    # noqa: E402
from pydicom.sequence import Sequence                           # noqa: E402

from synthetic import (CT, MR, PDF, SEG, XA, Patient, disc,     # noqa: E402
                       header, image, multiframe, report, save, stamp)

ANNA = Patient(11, "P-11", "Zoë^Anna", "F")
BORIS = Patient(12, "P-12", "Борис^Иван", "M")
CHIARA = Patient(13, "P-13", "山田^花子", "F")
DORA = Patient(14, "P-14", "Nobody^Dora", "F")
TWIN = Patient(16, "P-11", "Other^Olga", "F")
BIG = Patient(15, "P-15", "Large^Lea", "F")

made = {}


def keep(name, ds, directory):
    path = save(ds, f"{directory}/{name}.dcm")
    note(name, path, ds)


def note(name, path, ds):
    made[name] = {"path": path, "study": ds.StudyInstanceUID,
                  "series": ds.SeriesInstanceUID,
                  "instance": ds.SOPInstanceUID,
                  "frames": int(ds.get("NumberOfFrames", 1))
                  if "Rows" in ds else 0}


def pattern(length, seed):
    """Bytes that do not repeat soon and name nothing."""

    out = bytearray()
    x = seed * 2654435761 % 2**32 or 1

    while len(out) < length:
        x = (x * 1103515245 + 12345) % 2**31
        out += x.to_bytes(4, "little")

    return bytes(out[:length])


def rle(frame, samples):
    """PS3.5 annex G with literal runs only: valid, if no saving."""

    segments = []

    for s in range(samples):
        plane = frame[s::samples]
        out = bytearray()

        for i in range(0, len(plane), 128):
            run = plane[i:i + 128]
            out += bytes([len(run) - 1]) + run

        if len(out) % 2:
            out += b"\0"

        segments.append(bytes(out))

    offsets, at = [], 64

    for s in segments:
        offsets.append(at)
        at += len(s)

    head = [len(segments)] + offsets + [0] * (15 - len(offsets))
    return b"".join(n.to_bytes(4, "little") for n in head) + b"".join(segments)


def jpeg(length, seed):
    """Shaped as a JPEG stream from the outside: SOI, no marker, EOI."""

    body = pattern(length - 4, seed).replace(b"\xff", b"\xfe")
    return b"\xff\xd8" + body + b"\xff\xd9"


def native(d):
    for n in (1, 2, 3):
        ds = image(header(ANNA, CT, "CT", 1, 1, n), 128, 128)
        ds.PixelData = stamp(disc(128, 128, n), ds.SOPInstanceUID)
        ds["PixelData"].VR = "OW"
        keep(f"ct{n}", ds, d)

    ds = image(header(ANNA, CT, "CT", 1, 2, 1,
                      uid.ImplicitVRLittleEndian), 64, 64)
    ds.PixelData = disc(64, 64)
    ds["PixelData"].VR = "OW"
    keep("implicit", ds, d)

    ds = image(header(ANNA, CT, "CT", 1, 2, 2, uid.ExplicitVRBigEndian),
               64, 64, frames=2)
    ds.PixelData = disc(64, 64, 1) + disc(64, 64, 2)
    ds["PixelData"].VR = "OW"
    keep("bigendian", ds, d)

    ds = image(header(ANNA, CT, "CT", 1, 2, 3,
                      uid.DeflatedExplicitVRLittleEndian), 64, 64)
    ds.PixelData = disc(64, 64, 3)
    ds["PixelData"].VR = "OW"
    keep("deflated", ds, d)

    ds = image(header(ANNA, MR, "MR", 1, 3, 1), 5, 5, bits=8, samples=3,
               frames=3)
    ds.PixelData = pattern(5 * 5 * 3 * 3, 3) + b"\0"
    ds["PixelData"].VR = "OB"
    keep("rgbodd", ds, d)

    ds = image(header(ANNA, XA, "XA", 1, 4, 1), 300, 300, frames=4)
    ds.PixelData = b"".join(stamp(disc(300, 300, n), f"frame {n + 1}")
                            for n in range(4))
    ds["PixelData"].VR = "OW"
    keep("multi", ds, d)

    ds = image(header(ANNA, SEG, "SEG", 1, 5, 1), 10, 13, bits=1, frames=5)
    ds.SegmentationType = "BINARY"
    ds.PixelData = pattern((10 * 13 * 5 + 7) // 8 // 2 * 2 + 2, 5)[:82]
    ds["PixelData"].VR = "OB"
    keep("bits", ds, d)


def encapsulated(d):
    def one(name, n, syntax, frames, data, bits=8, extended=None):
        ds = image(header(BORIS, XA, "XA", 1, 1, n, syntax), 24, 32, bits,
                   frames)
        ds.PixelData = data
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True

        if extended:
            ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = extended

        keep(name, ds, d)

    runs = [rle(pattern(24 * 32, n), 1) for n in range(4)]
    one("rle", 1, uid.RLELossless, 4, encapsulate(runs, has_bot=True))
    one("rlenobot", 2, uid.RLELossless, 4, encapsulate(runs, has_bot=False))

    shots = [jpeg(3000 + 101 * n, n) for n in range(3)]
    shots = [s + b"\0" * (len(s) % 2) for s in shots]
    one("jpegfrag", 3, uid.JPEGBaseline8Bit, 3,
        encapsulate(shots, fragments_per_frame=3, has_bot=True))
    one("jpegfragnobot", 4, uid.JPEGBaseline8Bit, 3,
        encapsulate(shots, fragments_per_frame=2, has_bot=False))

    data, table, lengths = encapsulate_extended(shots)
    one("jpegeot", 5, uid.JPEGBaseline8Bit, 3, data,
        extended=(table, lengths))

    large = [jpeg(90000, 7), jpeg(70002, 8)]
    one("jpeglarge", 6, uid.JPEGBaseline8Bit, 2,
        encapsulate(large, fragments_per_frame=2, has_bot=True))


def documents(d):
    keep("report", report(ANNA, "Rien à signaler. " * 100), d)

    ds = header(CHIARA, PDF, "DOC", 1, 1, 1)
    ds.DocumentTitle = "報告"
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    ds.EncapsulatedDocument = b"%PDF-1.4\n" + pattern(4001, 9) + b"\n%%EOF\n"
    ds.EncapsulatedDocument += b"\0" * (len(ds.EncapsulatedDocument) % 2)
    keep("pdf", ds, d)

    ds = image(header(CHIARA, CT, "CT", 1, 2, 1), 16, 16)
    ds.PixelData = disc(16, 16)
    ds["PixelData"].VR = "OW"
    block = ds.private_block(0x0009, "EMAGE TEST", create=True)
    block.add_new(0x01, "OB", pattern(70000, 10))
    block.add_new(0x02, "UT", "long text " * 300)
    item, inner = Dataset(), Dataset()
    inner.EncapsulatedDocument = pattern(2050, 11)
    item.ContentSequence = Sequence([Dataset(), inner])
    ds.ContentSequence = Sequence([item])
    keep("bulk", ds, d)

    ds = image(header(DORA, CT, "CT", 1, 1, 1), 32, 32)
    ds.PixelData = stamp(disc(32, 32), "foreign")
    ds["PixelData"].VR = "OW"
    keep("foreign", ds, d)


def twin(d):
    ds = image(header(TWIN, CT, "CT", 1, 1, 1), 16, 16)
    ds.PixelData = stamp(disc(16, 16), "twin")
    ds["PixelData"].VR = "OW"
    keep("twin", ds, d)


def big(d, mib):
    path = multiframe(BIG, mib * 2, f"{d}/big")
    ds = header(BIG, XA, "XA")
    made["big"] = {"path": path, "study": ds.StudyInstanceUID,
                   "series": ds.SeriesInstanceUID,
                   "instance": ds.SOPInstanceUID, "frames": mib * 2}


if __name__ == "__main__":
    options = dict(a.split("=", 1) for a in sys.argv[2:])
    parts = {"native": native, "encapsulated": encapsulated,
             "documents": documents, "twin": twin}
    only = options.get("only", "native,encapsulated,documents")

    for name in filter(None, only.split(",")):
        parts[name](sys.argv[1])

    if "big" in options:
        big(sys.argv[1], int(options["big"]))

    json.dump(made, sys.stdout, indent=1)
