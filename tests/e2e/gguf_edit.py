# SPDX-License-Identifier: BSD-3-Clause
"""GGUF files, read and written again with changes: the standard library only.

keys: {name: (kind, value)}, where an array's value is (kind, list); tensors: [[name, dims, type, offset]]; data: bytes."""
import struct

NUMBER = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


class Gguf:
    def __init__(self, path):
        self.bytes = open(path, "rb").read()
        self.at = 8
        n_tensor, n_key = self.number("Q"), self.number("Q")
        self.keys = {}
        for _ in range(n_key):
            name = self.text()
            kind = self.number("I")
            self.keys[name] = (kind, self.value(kind))
        self.tensors = [[self.text(), [self.number("Q") for _ in range(self.number("I"))], self.number("I"),
                         self.number("Q")] for _ in range(n_tensor)]
        self.alignment = self.keys.get("general.alignment", (4, 32))[1]
        self.data = self.bytes[-(-self.at // self.alignment) * self.alignment:]

    def number(self, form):
        size = struct.calcsize("<" + form)
        self.at += size
        return struct.unpack("<" + form, self.bytes[self.at - size:self.at])[0]

    def text(self):
        n = self.number("Q")
        self.at += n
        return self.bytes[self.at - n:self.at].decode()

    def value(self, kind):
        if kind == 8:
            return self.text()
        if kind == 9:
            item, n = self.number("I"), self.number("Q")
            return item, [self.value(item) for _ in range(n)]
        return self.number(NUMBER[kind])

    @staticmethod
    def put_text(s):
        s = s if isinstance(s, bytes) else s.encode()
        return struct.pack("<Q", len(s)) + s

    def put_value(self, kind, v):
        if kind == 8:
            return self.put_text(v)
        if kind == 9:
            return struct.pack("<IQ", v[0], len(v[1])) + b"".join(self.put_value(v[0], x) for x in v[1])
        return struct.pack("<" + NUMBER[kind], v)

    def head(self):
        b = struct.pack("<4sIQQ", b"GGUF", 3, len(self.tensors), len(self.keys))
        for name, (kind, v) in self.keys.items():
            b += self.put_text(name) + struct.pack("<I", kind) + self.put_value(kind, v)
        for name, dims, kind, offset in self.tensors:
            b += self.put_text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)
        return b

    def write(self, path):
        b = self.head()
        with open(path, "wb") as f:
            f.write(b + bytes(-len(b) % self.alignment) + self.data)

    def find(self, name):
        return next(t for t in self.tensors if t[0] == name)
