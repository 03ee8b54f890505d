#!/usr/bin/python3
#
# Copyright (C) The e-mage authors
#
# Synthetic DICOM objects: three patients for the demonstration, and the pieces
# from which the tests make their own set.  Nobody real is in them.
#
# usage: synthetic.py DIR [FRAMES]

import os
import struct
import sys

from pydicom import uid
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence

# The UUID-derived arc of PS3.5 B.2 is for single UIDs; this prefix and fixed
# tails make every run write the same bytes.

ROOT = "1.2.826.0.1.3680043.8.498.77."

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
XA = "1.2.840.10008.5.1.4.1.1.12.1"
SEG = "1.2.840.10008.5.1.4.1.1.66.4"
SR = "1.2.840.10008.5.1.4.1.1.88.11"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"


class Patient:

    def __init__(self, number, patient_id, name, sex="F", birth="19700101"):
        self.number = number
        self.id = patient_id
        self.name = name
        self.sex = sex
        self.birth = birth

    def study(self, number=1):
        return f"{ROOT}{self.number}.{number}"


def header(patient, sop_class, modality, study=1, series=1, instance=1,
           syntax=uid.ExplicitVRLittleEndian, charset="ISO_IR 192"):
    """A dataset with all that identifies an object, and no content yet."""

    study_uid = patient.study(study)
    series_uid = f"{study_uid}.{series}"

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = f"{series_uid}.{instance}"
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = ROOT + "1"
    meta.ImplementationVersionName = "EMAGE_SYNTHETIC"

    ds = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    ds.is_little_endian = syntax != uid.ExplicitVRBigEndian
    ds.is_implicit_VR = syntax == uid.ImplicitVRLittleEndian

    ds.SpecificCharacterSet = charset
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    ds.StudyDate = "20260105"
    ds.StudyTime = "101500"
    ds.AccessionNumber = f"A{patient.number}-{study}"
    ds.Modality = modality
    ds.Manufacturer = "e-mage"
    ds.ReferringPhysicianName = "Référent^Rose"
    ds.StudyDescription = f"Synthetic {modality}"
    ds.SeriesDescription = f"Series {series}"
    ds.PatientName = patient.name
    ds.PatientID = patient.id
    ds.PatientBirthDate = patient.birth
    ds.PatientSex = patient.sex
    ds.StudyInstanceUID = study_uid
    ds.SeriesInstanceUID = series_uid
    ds.StudyID = str(study)
    ds.SeriesNumber = str(series)
    ds.InstanceNumber = str(instance)

    return ds


def image(ds, rows, columns, bits=16, frames=1, samples=1):
    """Adds the image module; the pixels come from the caller."""

    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.SamplesPerPixel = samples
    ds.PhotometricInterpretation = "RGB" if samples == 3 else "MONOCHROME2"

    if samples == 3:
        ds.PlanarConfiguration = 0

    if frames > 1:
        ds.NumberOfFrames = str(frames)

    ds.Rows = rows
    ds.Columns = columns
    ds.BitsAllocated = bits
    ds.BitsStored = 12 if bits == 16 else bits
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = 0

    if bits == 16:
        ds.WindowCenter = "1024"
        ds.WindowWidth = "2048"

    return ds


def disc(rows, columns, phase=0):
    """A soft disc on a ramp, 12 bits in 16, little endian."""

    out = bytearray()
    cy, cx = rows / 2, columns / 2
    r2 = (min(rows, columns) * 0.35) ** 2

    for y in range(rows):
        dy = (y - cy) ** 2
        row = []

        for x in range(columns):
            v = (x * 7 + y * 3 + phase * 16) & 0x1ff
            d = dy + (x - cx) ** 2

            if d < r2:
                v += 1024 + int(1400 * (1 - d / r2))

            row.append(v & 0xfff)

        out += struct.pack(f"<{columns}H", *row)

    return bytes(out)


def stamp(frame, text):
    """Writes a text into the first pixels, so that a byte names its origin."""

    mark = text.encode("ascii").ljust(64, b".")[:64]
    return mark + frame[len(mark):]


def save(ds, path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    dcmwrite(path, ds, write_like_original=False)
    return path


def save_stream(ds, path, frames, length):
    """Native pixel data written frame by frame: no object lies in memory.

    Only for Explicit VR Little Endian; the caller says the exact length.
    """

    save(ds, path)

    with open(path, "ab") as f:
        f.write(struct.pack("<HH2sHI", 0x7fe0, 0x0010, b"OW", 0, length))
        n = 0

        for frame in frames:
            f.write(frame)
            n += len(frame)

    if n != length:
        raise ValueError(f"{path}: wrote {n} bytes of pixels, not {length}")

    return path


def content_text(name, value):
    code = Dataset()
    code.CodeValue = "121071"
    code.CodingSchemeDesignator = "DCM"
    code.CodeMeaning = name

    item = Dataset()
    item.RelationshipType = "CONTAINS"
    item.ValueType = "TEXT"
    item.ConceptNameCodeSequence = Sequence([code])
    item.TextValue = value

    return item


def report(patient, text, study=1, series=9, instance=1):
    """A basic text SR: what a radiologist wrote."""

    ds = header(patient, SR, "SR", study, series, instance)

    code = Dataset()
    code.CodeValue = "18748-4"
    code.CodingSchemeDesignator = "LN"
    code.CodeMeaning = "Diagnostic Imaging Report"

    ds.ContentDate = "20260105"
    ds.ContentTime = "113000"
    ds.ValueType = "CONTAINER"
    ds.ContinuityOfContent = "SEPARATE"
    ds.CompletionFlag = "COMPLETE"
    ds.VerificationFlag = "VERIFIED"
    ds.ConceptNameCodeSequence = Sequence([code])
    ds.ContentSequence = Sequence([content_text("Finding", text)])

    return ds


def series(patient, sop_class, modality, count, rows, directory, study=1,
           number=1):
    for n in range(1, count + 1):
        ds = image(header(patient, sop_class, modality, study, number, n),
                   rows, rows)
        ds.ImagePositionPatient = ["0", "0", str(n * 2)]
        ds.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
        ds.PixelSpacing = ["0.7", "0.7"]
        ds.SliceThickness = "2"
        ds.PixelData = stamp(disc(rows, rows, n), ds.SOPInstanceUID)
        ds["PixelData"].VR = "OW"
        save(ds, f"{directory}/{modality}{number:02}-{n:03}.dcm")


def multiframe(patient, frames, directory, rows=512, study=1, number=1):
    ds = image(header(patient, XA, "XA", study, number, 1), rows, rows,
               frames=frames)
    ds.FrameTime = "33"
    ds.FrameIncrementPointer = 0x00181063
    base = disc(rows, rows)

    def each():
        for n in range(frames):
            shift = (n * 2 * rows) % len(base)
            yield stamp(base[shift:] + base[:shift],
                        f"{ds.SOPInstanceUID} frame {n + 1}")

    return save_stream(ds, f"{directory}/XA{number:02}-001.dcm", each(),
                       frames * len(base))


# the demonstration's three patients

DEMO = [
    Patient(1, "DEMO-1", "Martin^Claire", "F", "19580314"),
    Patient(2, "DEMO-2", "Durand^Émile", "M", "19811102"),
    Patient(3, "DEMO-3", "Nguyen^Linh", "F", "19920726"),
]


def demo(directory, frames):
    one, two, three = DEMO

    series(one, CT, "CT", 8, 256, f"{directory}/1")
    save(report(one, "No suspicious lesion. Comparison: none."),
         f"{directory}/1/SR09-001.dcm")
    series(two, MR, "MR", 4, 256, f"{directory}/2")
    multiframe(three, frames, f"{directory}/3")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: synthetic.py DIR [FRAMES]")

    demo(sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else 400)
