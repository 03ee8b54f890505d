#!/usr/bin/python3
#
# Copyright (C) The e-mage authors
#
# Reads a store as docs/store-format.md describes it, with no code of ours, and
# holds it against what pydicom found in the files that went in.
#
# usage: frames.py < files | store_set.py STORE METADATA-DIR
#
# Prints a line a difference, and at the end "N frames, M bulk values".  The
# metadata of each instance are left in METADATA-DIR as [{...}] and named on
# lines "meta TAB file TAB answer".

import hashlib
import json
import os
import struct
import sys
import zlib

store, answers = sys.argv[1:3]
frames = bulks = 0


def strings(data, base, offset, length):
    return data[base + offset:base + offset + length].decode("ascii")


class Series:
    def __init__(self, directory):
        self.directory = directory
        with open(f"{directory}/series.idx", "rb") as f:
            self.data = data = f.read()

        magic, version, crc, length, ni, nt, ns, nc, meta = \
            struct.unpack_from("<8sIIQIIIIQ", data)
        blank = data[:12] + b"\0" * 4 + data[16:]

        assert magic == b"EMAGESIX" and version == 2 and length == len(data)
        assert crc == zlib.crc32(blank)
        assert meta == os.path.getsize(f"{directory}/metadata.z")

        self.items = 64 + 96 * ni
        self.slices = self.items + 32 * nt
        self.text = self.slices + 24 * ns
        assert self.text + nc == len(data)

        self.instances = {}

        for n in range(ni):
            v = struct.unpack_from("<5Q8I4H2Q", data, 64 + 96 * n)
            uid = strings(data, self.text, v[10], v[13])
            self.instances[uid] = dict(
                size=v[0], extra=v[1], meta=v[2:5], crc=v[5], cls=v[6],
                first=v[7], frames=v[8], bulk=v[9],
                syntax=strings(data, self.text, v[12], v[15]),
                pictures=v[17:19])

        assert list(self.instances) == sorted(self.instances)

    def item(self, uid, n):
        length, first, count, path, media, pl, ml, _ = struct.unpack_from(
            "<QIIIIHHI", self.data, self.items + 32 * n)
        out = b""

        for i in range(count):
            offset, size, which, _ = struct.unpack_from(
                "<QQII", self.data, self.slices + 24 * (first + i))
            name = f"{self.directory}/{uid}.{'frames' if which else 'dcm'}"

            with open(name, "rb") as f:
                f.seek(offset)
                out += f.read(size)

        assert len(out) == length
        return strings(self.data, self.text, path, pl), out

    def metadata(self, uid):
        offset, length, size = self.instances[uid]["meta"]

        with open(f"{self.directory}/metadata.z", "rb") as f:
            f.seek(offset)
            chunk = f.read(length)

        assert chunk[-4:] == b"\0\0\xff\xff"
        out = zlib.decompressobj(-15).decompress(chunk)
        assert len(out) == size
        assert zlib.crc32(out) == self.instances[uid]["crc"]
        return out


def check(want):
    global frames, bulks

    study = f"{store}/studies/{want['study']}"
    revision = max(os.listdir(study))
    series = Series(f"{study}/{revision}/{want['series']}")
    uid = want["instance"]
    have = series.instances[uid]

    assert have["size"] == os.path.getsize(f"{series.directory}/{uid}.dcm")

    for size, suffix in zip(have["pictures"], ("jpg", "thumb.jpg")):
        name = f"{series.directory}/{uid}.{suffix}"
        there = os.path.getsize(name) if os.path.exists(name) else 0

        if there != size:
            yield f".{suffix} of {there} bytes, the index says {size}"

    if have["frames"] != len(want["frames"]):
        yield f"{have['frames']} frames, pydicom has {len(want['frames'])}"
        return

    for n, right in enumerate(want["frames"]):
        path, data = series.item(uid, have["first"] + n)
        assert path == ""
        frames += 1

        if [len(data), hashlib.sha256(data).hexdigest()] not in right:
            yield f"frame {n + 1} of {len(data)} bytes differs"

    found = {}

    for n in range(have["bulk"]):
        path, data = series.item(uid, have["first"] + have["frames"] + n)
        found[path] = [len(data), hashlib.sha256(data).hexdigest()]
        bulks += 1

    for path, right in want["bulk"].items():
        if found.get(path) != right:
            yield f"bulk value {path}: {found.get(path)}, not {right}"

    text = series.metadata(uid)
    dataset = json.loads(text.decode("utf-8"),
                         parse_constant=lambda c: 1 / 0)
    assert list(dataset) == sorted(dataset)

    yield from links(dataset, found)

    name = f"{answers}/{uid}.json"
    with open(name, "wb") as f:
        f.write(b"[" + text + b"]")

    print(f"meta\t{want['path']}\t{name}")


def links(dataset, found):
    """Every BulkDataURI names a bulk value, and at most one form is there."""

    for tag, element in dataset.items():
        if len({"Value", "BulkDataURI", "InlineBinary"} & set(element)) > 1:
            yield f"{tag}: value in two forms"

        uri = element.get("BulkDataURI")

        if uri and uri.split("/bulkdata/")[1] not in found:
            yield f"{tag}: {uri} is no bulk value"

        if element["vr"] == "SQ":
            for item in element.get("Value", []):
                yield from links(item, found)


for line in sys.stdin:
    want = json.loads(line)

    if "error" in want:
        continue

    try:
        for difference in check(want):
            print(f"{want['path']}: {difference}")

    except Exception as e:
        print(f"{want['path']}: {type(e).__name__} {e}")

print(f"{frames} frames, {bulks} bulk values")
