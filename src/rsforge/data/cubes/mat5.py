"""Numeric arrays of MATLAB files of versions 5 to 7, read one at a time.

The layout follows "MAT-File Format", The MathWorks: a header of 128 bytes, then one data element after the other. An
element is a tag of 8 bytes (type and length) and its data, padded to 8 bytes. A variable is an element of type matrix,
whose data are elements again: flags, shape, name, values. A compressed variable is one zlib stream of such an element.
Only heads are read to list the variables, and of a compressed one only as many bytes as its head needs; cells,
structures and objects, which could hold anything, are skipped by their length.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from rsforge.data.io.image_reader import UnreadableError

Read = Callable[[int], bytes]

HEADER = 128
MATRIX = 14
COMPRESSED = 15
CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
MAX_VARIABLES = 10_000
MAX_FIELD = 1 << 12  # bytes of flags, shape or name
_COMPLEX = 0x0800
_PIECE = 1 << 16  # bytes that are inflated at once


@dataclass(frozen=True)
class Variable:
    """The head of a numeric array; ``at`` is the position of its element in the file, in bytes."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_complex: bool
    at: int


def list_variables(path: Path) -> dict[str, Variable]:
    """The heads of the numeric arrays by name; ``UnreadableError`` for damaged files and other formats."""
    with path.open("rb") as file:
        order = _read_byte_order(file)
        size = path.stat().st_size
        found: dict[str, Variable] = {}
        at = HEADER
        while at < size and len(found) < MAX_VARIABLES:
            file.seek(at)
            kind, length = struct.unpack(f"{order}II", _require_length(file.read(8), 8))
            if at + 8 + length > size:
                raise UnreadableError("it ends within an array")
            if kind in (MATRIX, COMPRESSED):
                variable = _read_head(_make_reader(file, at, order), order, at)
                if variable is not None:
                    found[variable.name] = variable
            at += 8 + length
    return dict(sorted(found.items()))


def load_variable(path: Path, variable: Variable) -> npt.NDArray[Any]:
    """All values of a variable; ``UnreadableError`` for complex ones and for damage."""
    if variable.is_complex:
        raise UnreadableError(f"the values of {variable.name} are complex")
    with path.open("rb") as file:
        order = _read_byte_order(file)
        read = _make_reader(file, variable.at, order)
        if _read_head(read, order, variable.at) != variable:
            raise UnreadableError("it changed while it was read")
        kind, length, inline = _read_tag(read, order)
        stored = np.dtype(STORED.get(kind, "V1")).newbyteorder(order)
        if kind not in STORED or length != math.prod(variable.shape) * stored.itemsize:
            raise UnreadableError(f"{variable.name} has not the size that it declares")
        values = np.frombuffer(inline if inline is not None else read(length), stored)
    return values.astype(variable.dtype).reshape(variable.shape, order="F")


def _read_byte_order(file: BinaryIO) -> Literal["<", ">"]:
    header = file.read(HEADER)
    orders: dict[bytes, Literal["<", ">"]] = {b"IM": "<", b"MI": ">"}
    order = orders.get(header[126:128])
    if order is None or struct.unpack(f"{order}H", header[124:126])[0] != 0x0100:
        raise UnreadableError("it is not a MATLAB file of version 5 to 7")
    return order


def _make_reader(file: BinaryIO, at: int, order: str) -> Read:
    """A function that reads the next bytes of the array at ``at``, which is inflated as far as needed."""
    file.seek(at)
    kind, length = struct.unpack(f"{order}II", file.read(8))
    if kind == MATRIX:
        return lambda count: _require_length(file.read(min(count, length)), count)
    pieces = _inflate(file, length)
    rest = bytearray()

    def read(count: int) -> bytes:
        while len(rest) < count:
            piece = next(pieces, b"")
            if not piece:
                break
            rest.extend(piece)
        data = bytes(memoryview(rest)[:count])
        del rest[:count]
        return _require_length(data, count)

    read(8)  # the tag of the matrix in the compressed stream
    return read


def _inflate(file: BinaryIO, length: int) -> Iterator[bytes]:
    """The inflated contents of the next ``length`` bytes, in pieces of at most ``_PIECE`` bytes.

    The position is kept here: the file may be read elsewhere between two pieces.
    """
    inflate = zlib.decompressobj()
    at = file.tell()
    end = at + length
    while at < end and not inflate.eof:
        file.seek(at)
        packed = file.read(min(_PIECE, end - at))
        at += len(packed)
        while packed:
            try:
                yield inflate.decompress(packed, _PIECE)
            except zlib.error as error:
                raise UnreadableError(f"it cannot be inflated ({error})") from error
            packed = inflate.unconsumed_tail


def _require_length(data: bytes, count: int) -> bytes:
    if len(data) < count:
        raise UnreadableError("it ends within an array")
    return data


def _read_tag(read: Read, order: str) -> tuple[int, int, bytes | None]:
    """Type and length of an element; of a small one (up to 4 bytes, stored in its tag) also the data."""
    tag = read(8)
    kind, length = struct.unpack(f"{order}II", tag)
    if kind >> 16:  # a small element: the upper two bytes of the type hold the length
        return kind & 0xFFFF, kind >> 16, tag[4 : 4 + (kind >> 16)]
    return kind, length, None


def _read_field(read: Read, order: str) -> bytes:
    _, length, inline = _read_tag(read, order)
    if length > MAX_FIELD:
        raise UnreadableError("the head of an array is damaged")
    padding = -length % 8
    return inline if inline is not None else read(length + padding)[:length]


def _read_head(read: Read, order: str, at: int) -> Variable | None:
    """The head of an array; None when it holds no numbers."""
    flags = _read_field(read, order)
    if len(flags) != 8:
        raise UnreadableError("the head of an array is damaged")
    (word,) = struct.unpack(f"{order}I", flags[:4])
    if word & 0xFF not in CLASSES:
        return None
    shape = tuple(np.frombuffer(_read_field(read, order), f"{order}i4").tolist())
    name = _read_field(read, order).decode(errors="replace")
    if len(shape) < 2 or min(shape) < 0:
        raise UnreadableError("the head of an array is damaged")
    return Variable(name, shape, np.dtype(CLASSES[word & 0xFF]), bool(word & _COMPLEX), at)
