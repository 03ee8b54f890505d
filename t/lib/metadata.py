#!/usr/bin/python3
#
# Copyright (C) The e-mage authors
#
# Compares metadata answers with DCMTK's dcm2json.  Standard input: a line
# "DICOM file TAB answer's file" each.  Prints a line a difference, and how many
# files DCMTK could not convert to standard error.  The coercions that are left
# out are those of docs/store-format.md: the regional patient identifier and
# what goes with it, UTF-8, and binary values by address.

import json
import subprocess
import sys
import tempfile

COERCED = {"00080005",                  # Specific Character Set: UTF-8
           "00100020", "00100021",      # regional PatientID and issuer
           "00100024", "00101002",      # its qualifiers; the originals
           "00083001", "00083002"}      # available transfer syntaxes


def dcmtk(path):
    """dcm2json of a file, in UTF-8 as it wants it; None if it cannot."""

    with tempfile.NamedTemporaryFile(suffix=".dcm") as utf8:
        source = path
        r = subprocess.run(["dcmconv", "-q", "+U8", path, utf8.name],
                           capture_output=True, timeout=60)

        if r.returncode == 0:
            source = utf8.name

        r = subprocess.run(["dcm2json", "-q", "-fc", "-ee", source],
                           capture_output=True, timeout=60)

        if r.returncode != 0:
            return None

        try:
            return json.loads(r.stdout.decode("utf-8"))

        except ValueError:
            return None


def number(v):
    try:
        return float(v)

    except (TypeError, ValueError):
        return v


def text(v):
    if v is None:
        return ""

    if isinstance(v, str):
        return v.rstrip(" \0")

    return v


def name(v):
    if not isinstance(v, dict):
        return {}

    return {k: x.rstrip("^ \0") for k, x in v.items() if x.rstrip("^ \0")}


def values(element):
    vr = element.get("vr")
    found = element.get("Value", [])

    if vr == "PN":
        found = [name(v) for v in found]

    elif vr in ("DS", "IS", "FL", "FD", "SL", "SS", "UL", "US", "SV", "UV"):
        found = [number(text(v)) for v in found]

    else:
        found = [text(v) for v in found]

    while found and found[-1] in ("", {}, None):
        found.pop()

    return found


def close(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return a == b or abs(a - b) <= 1e-6 * max(abs(a), abs(b))

    return a == b


def compare(ours, theirs, at):
    for tag in sorted(set(ours) | set(theirs)):
        if tag in COERCED or tag.endswith("0000") or tag < "00080000":
            continue

        here = f"{at}{tag}"

        if tag not in ours or tag not in theirs:
            yield f"{here}: only in {'ours' if tag in ours else 'dcm2json'}"
            continue

        a, b = ours[tag], theirs[tag]

        if "BulkDataURI" in a:
            continue

        if a.get("vr") != b.get("vr"):
            yield f"{here}: vr {a.get('vr')}, dcm2json {b.get('vr')}"
            continue

        if a["vr"] == "SQ":
            x, y = a.get("Value", []), b.get("Value", [])

            if len(x) != len(y):
                yield f"{here}: {len(x)} items, dcm2json {len(y)}"
                continue

            for n, (i, k) in enumerate(zip(x, y), 1):
                yield from compare(i or {}, k or {}, f"{here}/{n}/")

        elif "InlineBinary" in a or "InlineBinary" in b:
            if a.get("InlineBinary") != b.get("InlineBinary"):
                yield f"{here}: other binary value"

        else:
            x, y = values(a), values(b)

            if len(x) != len(y) or not all(map(close, x, y)):
                yield f"{here}: {str(x)[:60]}, dcm2json {str(y)[:60]}"


skipped = 0

for line in sys.stdin:
    path, answer = line.rstrip("\n").split("\t")
    theirs = dcmtk(path)

    if theirs is None:
        skipped += 1
        continue

    if isinstance(theirs, list):
        theirs = theirs[0]

    with open(answer, encoding="utf-8") as f:
        ours = json.load(f)[0]

    for difference in compare(ours, theirs, ""):
        print(f"{path}: {difference}")

print(f"dcm2json could not convert {skipped}", file=sys.stderr)
