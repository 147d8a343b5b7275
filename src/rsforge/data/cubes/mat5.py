"""MATLAB files of versions 5 to 7: their numeric arrays, one at a time, and nothing else of what they hold.

The layout is that of the MAT-File Format of The MathWorks: a header of 128 bytes, then elements of a tag and data.
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

HEADER, MATRIX, COMPRESSED = 128, 14, 15
CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
MAX_VARIABLES, MAX_FIELD = 10_000, 1 << 12
_COMPLEX, _PIECE = 0x0800, 1 << 16


@dataclass(frozen=True)
class Variable:
    """A numeric array by its head; ``at`` is where its element lies in the file."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_complex: bool
    at: int


def variables(path: Path) -> dict[str, Variable]:
    """The numeric arrays of a file by name, no values read; ``UnreadableError`` for damage and other files."""
    with path.open("rb") as file:
        order, size = _order(file), path.stat().st_size
        found: dict[str, Variable] = {}
        at = HEADER
        while at < size and len(found) < MAX_VARIABLES:
            file.seek(at)
            kind, length = struct.unpack(f"{order}II", _whole(file.read(8), 8))
            if at + 8 + length > size:
                raise UnreadableError("it ends within an array")
            variable = _head(_reader(file, at, order), order, at) if kind in (MATRIX, COMPRESSED) else None
            if variable is not None:
                found[variable.name] = variable
            at += 8 + length
    return dict(sorted(found.items()))


def load(path: Path, variable: Variable) -> npt.NDArray[Any]:
    """The values of a variable, read whole; complex ones and damage raise ``UnreadableError``."""
    if variable.is_complex:
        raise UnreadableError(f"the values of {variable.name} are complex")
    with path.open("rb") as file:
        order = _order(file)
        read = _reader(file, variable.at, order)
        if _head(read, order, variable.at) != variable:
            raise UnreadableError("it changed while it was read")
        kind, length, inline = _tag(read, order)
        stored = np.dtype(STORED.get(kind, "V1")).newbyteorder(order)
        if kind not in STORED or length != math.prod(variable.shape) * stored.itemsize:
            raise UnreadableError(f"{variable.name} has not the size that it declares")
        values = np.frombuffer(inline if inline is not None else read(length), stored)
    return values.astype(variable.dtype).reshape(variable.shape, order="F")


def _order(file: BinaryIO) -> Literal["<", ">"]:
    header = file.read(HEADER)
    orders: dict[bytes, Literal["<", ">"]] = {b"IM": "<", b"MI": ">"}
    order = orders.get(header[126:128])
    if order is None or struct.unpack(f"{order}H", header[124:126])[0] != 0x0100:
        raise UnreadableError("it is not a MATLAB file of version 5 to 7")
    return order


def _reader(file: BinaryIO, at: int, order: str) -> Read:
    """Reads the inside of the array at ``at``, inflated as far as it is asked for."""
    file.seek(at)
    kind, length = struct.unpack(f"{order}II", file.read(8))
    if kind == MATRIX:
        return lambda count: _whole(file.read(min(count, length)), count)
    pieces = _inflated(file, length)
    rest = bytearray()

    def read(count: int) -> bytes:
        while len(rest) < count:
            piece = next(pieces, b"")
            if not piece:
                break
            rest.extend(piece)
        taken = bytes(memoryview(rest)[:count])
        del rest[:count]
        return _whole(taken, count)

    read(8)  # the tag of the array inside
    return read


def _inflated(file: BinaryIO, length: int) -> Iterator[bytes]:
    inflate, at, left = zlib.decompressobj(), file.tell(), length
    while left > 0 and not inflate.eof:
        file.seek(at)
        packed = file.read(min(_PIECE, left))
        at, left = at + len(packed), left - len(packed)
        while packed:
            try:
                yield inflate.decompress(packed, _PIECE)
            except zlib.error as error:
                raise UnreadableError(f"it cannot be inflated ({error})") from error
            packed = inflate.unconsumed_tail


def _whole(data: bytes, count: int) -> bytes:
    if len(data) < count:
        raise UnreadableError("it ends within an array")
    return data


def _tag(read: Read, order: str) -> tuple[int, int, bytes | None]:
    """Type, length and, of elements up to four bytes, which stand in their tag, the data."""
    tag = read(8)
    kind, length = struct.unpack(f"{order}II", tag)
    if kind >> 16:
        return kind & 0xFFFF, kind >> 16, tag[4 : 4 + (kind >> 16)]
    return kind, length, None


def _field(read: Read, order: str) -> bytes:
    _, length, inline = _tag(read, order)
    if length > MAX_FIELD:
        raise UnreadableError("the head of an array is damaged")
    return inline if inline is not None else read(length + -length % 8)[:length]


def _head(read: Read, order: str, at: int) -> Variable | None:
    """What the head of an array says; None when it holds no numbers."""
    flags = _field(read, order)
    if len(flags) != 8:
        raise UnreadableError("the head of an array is damaged")
    (word,) = struct.unpack(f"{order}I", flags[:4])
    if word & 0xFF not in CLASSES:
        return None
    shape = tuple(np.frombuffer(_field(read, order), f"{order}i4").tolist())
    name = _field(read, order).decode(errors="replace")
    if len(shape) < 2 or min(shape) < 0:
        raise UnreadableError("the head of an array is damaged")
    return Variable(name, shape, np.dtype(CLASSES[word & 0xFF]), bool(word & _COMPLEX), at)
