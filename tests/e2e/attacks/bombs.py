"""Packs that are small and unpack to something enormous, written by hand (gitformat-pack(5))."""

import hashlib
import struct
import zlib

COMMIT, TREE, BLOB, REF_DELTA = 1, 2, 3, 7
KINDS = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob"}


def object_header(kind, size):
    out = bytearray()
    byte = kind << 4 | (size & 15)
    size >>= 4
    while size:
        out.append(byte | 0x80)
        byte = size & 127
        size >>= 7
    out.append(byte)
    return bytes(out)


def varint(n):
    out = bytearray()
    while n >= 128:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def oid(kind, data):
    return hashlib.sha1(b"%s %d\0" % (KINDS[kind], len(data)) + data).hexdigest()


class Pack:
    def __init__(self):
        self.entries = []

    def add(self, kind, data):
        self.entries.append(object_header(kind, len(data)) + zlib.compress(data, 9))
        return oid(kind, data)

    def add_delta(self, base, delta):
        self.entries.append(object_header(REF_DELTA, len(delta)) + bytes.fromhex(base) + zlib.compress(delta, 9))

    def bytes(self):
        body = struct.pack(">4sII", b"PACK", 2, len(self.entries)) + b"".join(self.entries)
        return body + hashlib.sha1(body).digest()


def tree(*entries):
    """(mode, name, oid) each, sorted by the caller."""
    return b"".join(b"%s %s\0" % (m.encode(), n.encode()) + bytes.fromhex(o) for m, n, o in entries)


def commit(root, parent=None):
    text = f"tree {root}\n" + (f"parent {parent}\n" if parent else "")
    who = "x <x@example.com> 1700000000 +0000"
    return (text + f"author {who}\ncommitter {who}\n\nbomb\n").encode()


def big_blob(size):
    """One blob of so many zero bytes: 2 MB for 2 GiB."""
    chunk = bytes(1 << 20)
    z = zlib.compressobj(9)
    h = hashlib.sha1(b"blob %d\0" % size)
    out = [object_header(BLOB, size)]
    for _ in range(size >> 20):
        out.append(z.compress(chunk))
        h.update(chunk)
    out.append(z.flush())
    p = Pack()
    p.entries.append(b"".join(out))
    root = p.add(TREE, tree(("100644", "zeros", h.hexdigest())))
    head = p.add(COMMIT, commit(root))
    return p.bytes(), head


def delta_bomb():
    """A blob, and deltas of it that copy it again and again: half a megabyte for more than 1 GB."""
    base = bytes(i * 7 & 255 for i in range(1 << 16))
    p = Pack()
    first = p.add(BLOB, base)
    # 1 GiB in one delta: copies of 64 KiB (size 0 means 0x10000), an instruction of one byte each.
    times = 16 * 1024
    p.add_delta(first, varint(len(base)) + varint(len(base) * times) + b"\x80" * times)
    h = hashlib.sha1(b"blob %d\0" % (len(base) * times))
    for _ in range(times):
        h.update(base)
    root = p.add(TREE, tree(("100644", "big", h.hexdigest()), ("100644", "small", first)))
    head = p.add(COMMIT, commit(root))
    return p.bytes(), head


def tree_bomb(width=10, depth=10):
    """Ten folders of ten folders …: 10^10 files in less than a kilobyte."""
    p = Pack()
    entry = ("100644", p.add(BLOB, b"x\n"))
    for _ in range(depth):
        entry = ("40000" if entry[0] == "40000" else "100644", entry[1])
        data = tree(*((entry[0], f"f{i}", entry[1]) for i in range(width)))
        entry = ("40000", p.add(TREE, data))
    head = p.add(COMMIT, commit(entry[1]))
    return p.bytes(), head
