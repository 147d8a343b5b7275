"""Seeds derived from what they are for, so that no random state is ever carried along."""

from __future__ import annotations

import hashlib


def derive(*parts: int | str) -> int:
    """A 63-bit seed that is a pure function of ``parts``, e.g. ``derive(seed, "step", 7)``."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
