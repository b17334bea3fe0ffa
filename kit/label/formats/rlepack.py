"""Label Studio's run-length code of brush masks: the bit format of thi.ng's rle-pack, over four channels.

Label Studio's own converter has the same functions but depends on forty packages. The tests compare these functions
with its results.
"""

import numpy as np

from kit.errors import KitError
from kit.label.formats.runs import to_runs

WIDTHS = (3, 4, 8, 16)
"""Bit widths of a run length; each run uses the smallest sufficient one."""


def pack(mask: np.ndarray) -> list[int]:
    """A bitmap bool (H, W) as a list of bytes: its pixels row by row, each four times (red, green, blue, alpha), 255 or
    0."""
    bits = [f"{4 * mask.size:032b}", f"{8 - 1:05b}", *(f"{width - 1:04b}" for width in WIDTHS)]
    longest = 1 << WIDTHS[-1]
    for place, length in enumerate(to_runs(mask)):
        value, left = ("00000000", "11111111")[place % 2], 4 * length
        while left > 0:
            part = min(left, longest)
            which = next(i for i, width in enumerate(WIDTHS) if part - 1 < 1 << width)
            bits.append(f"1{which:02b}{part - 1:0{WIDTHS[which]}b}{value}")
            left -= part
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


def unpack(packed: list[int], size: tuple[int, int], where: str) -> np.ndarray:
    """The bitmap bool (H, W) of a list of bytes: pixels whose alpha is above half.

    Args:
        size: (height, width) that it must have.
        where: for messages.
    Raises: KitError if the size differs, or if the list is not in this format.
    """
    try:
        bits = np.unpackbits(np.array(packed, np.uint8))
    except (OverflowError, TypeError, ValueError) as error:
        raise KitError(f"{where}: the RLE is not a list of bytes") from error
    reader = _Bits(bits, where)
    count = reader.take(32)
    if count != 4 * size[0] * size[1]:
        raise KitError(
            f"{where}: the RLE has {count // 4} pixels, the image {size[0]} x {size[1]} = {size[0] * size[1]}"
        )
    word = reader.take(5) + 1
    widths = [reader.take(4) + 1 for _ in range(4)]
    out, at = np.zeros(count, np.uint8), 0
    while at < count:
        repeated = reader.take(1)
        length = reader.take(widths[reader.take(2)]) + 1
        if at + length > count:
            raise KitError(f"{where}: the RLE runs beyond its {count // 4} pixels")
        if repeated:
            out[at : at + length] = reader.take(word)
        else:
            out[at : at + length] = reader.words(length, word)
        at += length
    return (out[3::4] > 127).reshape(size)


class _Bits:
    """Numbers read from bits, one after the other."""

    def __init__(self, bits: np.ndarray, where: str):
        self.bits, self.at, self.where = bits, 0, where

    def take(self, width: int) -> int:
        value = 0
        for bit in self._next(width).tolist():
            value = value << 1 | bit
        return value

    def words(self, count: int, width: int) -> np.ndarray:
        powers = 1 << np.arange(width)[::-1]
        return (self._next(count * width).reshape(count, width) @ powers).astype(np.uint8)

    def _next(self, width: int) -> np.ndarray:
        self.at += width
        if self.at > len(self.bits):
            raise KitError(f"{self.where}: the RLE ends too early")
        return self.bits[self.at - width : self.at]
