#!/usr/bin/env python3
"""verify_history.py FOLDER [--expect-head HEX]      exit 0: whole; exit 3: damaged, and where
Verifies a folder of history segments by docs/history-format.md alone: no code of Interrex."""
import argparse, pathlib, struct, sys, zlib

import zstandard
from blake3 import blake3

GENESIS = "interrex 2026-11-21 history genesis v1"
RECORD = blake3(b"", derive_key_context="interrex 2026-11-21 history record v1").digest()
FORMAT = LEVEL = 1


class Damage(Exception): """What is wrong; the caller knows where."""


def need(condition, what):
    if not condition: raise Damage(what)


def varint(data, at):
    value = shift = 0
    while True:
        need(at < len(data) and shift < 70, "a number is cut short")
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80: return value, at


def fields(data):
    """The fields of a protobuf message, in order: (number, value)."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        else:
            length, at = (8, at) if tag & 7 == 1 else varint(data, at)
            need(at + length <= len(data), "a field is cut short")
            value, at = data[at : at + length], at + length
        yield tag >> 3, value


class History:
    """Where the chain is, from file to file."""

    def __init__(self):
        self.cluster = self.head = None
        self.next = self.term = self.revision = self.at = self.events = 0

    def header(self, data):
        need(len(data) >= 128 and data[:8] == b"IXHIST\r\n", "not a history segment")
        need(zlib.crc32(data[:124]) == struct.unpack_from("<I", data, 124)[0], "header checksum")
        form, level, cluster, generation, first, term, *place, head, zero = struct.unpack(
            "<II16sQQQQQ32s20s", data[8:124]
        )
        need(form == FORMAT and level <= LEVEL, f"format {form}, level {level} are too new")
        need(zero == bytes(20), "reserved bytes are in use")
        self.head = self.head or blake3(cluster, derive_key_context=GENESIS).digest()
        self.cluster = self.cluster or (cluster, generation)
        need(self.cluster == (cluster, generation), "another cluster or generation")
        need(first == self.next, f"begins with entry {first}, expected {self.next}")
        need(term == self.term, f"begins in term {term}, expected {self.term}")
        need((*place, head) == (self.revision, self.at, self.head), "does not continue the chain")

    def segment(self, data):
        """Checks one file; yields the offset of each block before it is looked at."""
        self.header(data)
        at, stream, points = 128, None, []
        while at < len(data):
            yield at
            need(at + 24 <= len(data), "the file ends within a block's header")
            magic, kind, stored, raw, short, crc = struct.unpack_from("<3scII8sI", data, at)
            need(magic == b"IXB", "no block begins here")
            content = data[at + 24 : at + 24 + stored]
            need(len(content) == stored, "the file ends within a block")
            need(zlib.crc32(data[at : at + 20] + content) == crc, "block checksum")
            end = at + 24 + stored
            if kind == b"s":
                self.seal(content, points)
                need(data[end:] == struct.pack("<Q", at) + b"IXSEALED", "trailer")
                self.sealed = True
                return
            need(kind in (b"f", b"c"), f"a block of unknown kind {kind}")
            if kind == b"f":
                points.append((at, self.next, self.revision, self.at, self.head))
                stream = zstandard.ZstdDecompressor(max_window_size=1 << 20).decompressobj()
            need(stream, "the first block needs one before it")
            content = stream.decompress(content)
            need(len(content) == raw, f"{len(content)} bytes decompressed, {raw} named")
            for number, frame in fields(content):
                need(number == 1, f"unknown field {number} in a block")
                self.frame(frame)
            need(self.head[:8] == short, "the chain does not lead to this block's head")
            at = end
        self.sealed = False

    def frame(self, data):
        found = dict(fields(data))
        index, term = found.pop(1, 0), found.pop(2, 0)
        need(index == self.next, f"entry {index} stands where {self.next} belongs")
        need(term >= self.term, f"entry {index}: term {term} after {self.term}")
        need(len(found) == 1 and min(found) in (3, 4, 5, 6), f"entry {index}: unknown body")
        (body, value), = found.items()
        if body in (3, 4):
            decision = list(fields(value))
            simple = dict(decision)
            need(0 < simple.get(3, 0) <= LEVEL, f"entry {index}: level above {LEVEL}")
            stands = simple.get(1, 0) == index - 1
            need(stands == (body == 3), f"entry {index}: its basis says otherwise")
        if body == 3:
            self.head = blake3(self.head + value, key=RECORD).digest()
            self.revision, self.at = self.revision + 1, simple.get(2, 0)
            acts = (fields(act) for number, act in decision if number == 4)
            self.events += sum(number == 5 for act in acts for number, _ in act)
        self.next, self.term = index + 1, term

    def seal(self, data, points):
        place = lambda data: tuple(dict([(1, 0), (2, 0), *fields(data)]).values())
        seal, named = dict(fields(data)), [dict(fields(v)) for n, v in fields(data) if n == 3]
        fits = place(seal[2]) == (self.revision, self.at, self.head)
        need(fits and seal.get(1, 0) + 1 == self.next, "the seal names another end")
        named = [(point[1], point.get(2, 0), *place(point[3])) for point in named]
        need(named == points, "the seal's index names other places")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--expect-head", type=bytes.fromhex)
    wish = parser.parse_args()
    files = sorted(wish.folder.glob("history-*.seg"))
    history, name, offset = History(), str(wish.folder), 0
    try:
        need(files, "no segment here")
        for path in files:
            name, offset = path.name, 0
            need(name == f"history-{history.next:020}.seg", f"expected entry {history.next}")
            for offset in history.segment(path.read_bytes()):
                pass
            need(history.sealed or path == files[-1], "not sealed, and a file follows")
        need(wish.expect_head in (None, history.head), f"the head is {history.head.hex()}")
    except (Damage, zstandard.ZstdError, KeyError, TypeError) as damage:
        print(f"damaged: {name}, offset {offset}: {damage}")
        sys.exit(3)
    print(f"events {history.events} revision {history.revision} head {history.head.hex()}")


main()
