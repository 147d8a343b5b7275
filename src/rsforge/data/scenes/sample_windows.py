"""A few windows of a scene that speak for all of it."""

from __future__ import annotations

from rsforge.data.io.windows import Window


def spread_windows(height: int, width: int, size: int = 128, most: int = 8) -> list[Window]:
    """Up to ``most`` x ``most`` windows of at most ``size`` x ``size`` pixels, evenly over ``height`` x ``width``.

    They run row by row and share no pixel; images up to ``size * most`` are covered.
    """
    rows, cols = (_parts(total, size, most) for total in (height, width))
    return [Window(row, col, tall, wide) for row, tall in rows for col, wide in cols]


def _parts(total: int, size: int, most: int) -> list[tuple[int, int]]:
    count = min(most, -(-total // size))
    parts = [(k * total // count, (k + 1) * total // count) for k in range(count)]
    lengths = [min(size, end - start) for start, end in parts]
    return [((start + end - length) // 2, length) for (start, end), length in zip(parts, lengths, strict=True)]
