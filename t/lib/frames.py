#!/usr/bin/python3
#
# Copyright (C) The e-mage authors
#
# What pydicom's own reader finds: for each DICOM file named on standard input
# a JSON line with its identifiers and, of each frame, the length and the
# SHA-256 that a correct answer may have, and of each binary value over 1 KiB.
# Big Endian is swapped, whole pixels or 16-bit words, and 1-bit frames are
# moved to a byte's start.

import hashlib
import json
import sys
import warnings

import pydicom
from pydicom.encaps import (generate_pixel_data_fragment,
                            generate_pixel_data_frame)

warnings.simplefilter("ignore")


def swapped(data, width):
    if width <= 1:
        return data

    out = bytearray(len(data))
    whole = len(data) - len(data) % width

    for i in range(width):
        out[i:whole:width] = data[width - 1 - i:whole:width]

    out[whole:] = data[whole:]
    return bytes(out)


def bits(data, first, count):
    """`count` bits from bit `first`, least significant bit first."""

    value = int.from_bytes(data[first // 8:(first + count + 7) // 8],
                           "little") >> (first % 8)
    return (value & ((1 << count) - 1)).to_bytes((count + 7) // 8, "little")


def native(ds, data):
    frames = int(ds.get("NumberOfFrames", 1) or 1)
    pixels = ds.Rows * ds.Columns
    samples = ds.get("SamplesPerPixel", 1)

    if ds.get("PhotometricInterpretation") == "YBR_FULL_422":
        samples = 2

    if ds.BitsAllocated == 1:
        for n in range(frames):
            yield bits(data, n * pixels * samples, pixels * samples)
        return

    size = pixels * samples * (ds.BitsAllocated // 8)

    for n in range(frames):
        yield data[n * size:(n + 1) * size]


def variants(ds, frame):
    """Every form that is right, the usual one first."""

    if ds.is_little_endian:
        return [frame]

    out = [swapped(frame, ds.BitsAllocated // 8), swapped(frame, 2)]

    if ds["PixelData"].VR == "OB" or ds.BitsAllocated == 8:
        out.append(frame)

    return out


def describe(path):
    ds = pydicom.dcmread(path, force=True)
    frames = []

    for word in ("FloatPixelData", "DoubleFloatPixelData"):
        if word in ds and "Rows" in ds:
            found = native(ds, ds[word].value)
            return dict(frames=[[[len(f), hashlib.sha256(f).hexdigest()]]
                                for f in found],
                        syntax="", **names(ds))

    if "PixelData" in ds and "Rows" in ds:
        syntax = ds.file_meta.get("TransferSyntaxUID")
        data = ds.PixelData

        if ds["PixelData"].is_undefined_length:
            if int(ds.get("NumberOfFrames", 1) or 1) == 1:
                found = [b"".join(
                    generate_pixel_data_fragment(after_table(data)))]
            else:
                found = generate_pixel_data_frame(
                    data, int(ds.get("NumberOfFrames", 1)))

        else:
            found = native(ds, data)

        for f in found:
            frames.append([[len(v), hashlib.sha256(v).hexdigest()]
                           for v in variants(ds, f)])

        return dict(frames=frames, syntax=str(syntax), **names(ds))

    return dict(frames=[], syntax="", **names(ds))


def after_table(data):
    """The fragments that follow the basic offset table."""

    table = int.from_bytes(data[4:8], "little")
    fp = pydicom.filebase.DicomBytesIO(data[8 + table:])
    fp.is_little_endian = True
    return fp


BINARY = ("OB", "OW", "OF", "OD", "OL", "OV", "UN")


def bulk(ds, prefix=""):
    """Binary values over 1 KiB by path, as the store spells it."""

    out = {}

    for element in ds:
        tag = f"{element.tag:08X}"

        if element.VR == "SQ":
            for n, item in enumerate(element.value or [], 1):
                out.update(bulk(item, f"{prefix}{tag}/{n}/"))

        elif element.VR in BINARY and prefix + tag != "7FE00010":
            value = element.value

            if isinstance(value, bytes) and len(value) > 1024:
                out[prefix + tag] = [len(value),
                                     hashlib.sha256(value).hexdigest()]

    return out


def names(ds):
    return {"bulk": bulk(ds) if ds.is_little_endian else {},
            "study": str(ds.get("StudyInstanceUID", "")),
            "series": str(ds.get("SeriesInstanceUID", "")),
            "instance": str(ds.get("SOPInstanceUID", "")),
            "bits": int(ds.get("BitsAllocated", 0) or 0)}


for line in sys.stdin:
    name = line.rstrip("\n")

    try:
        print(json.dumps(dict(path=name, **describe(name))))

    except Exception as e:                      # pydicom cannot read it
        print(json.dumps({"path": name, "error": f"{type(e).__name__}: {e}"}))
