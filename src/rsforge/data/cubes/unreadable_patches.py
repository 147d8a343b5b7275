"""The error of a file that cannot be used as patches."""

from __future__ import annotations

from pathlib import Path

from rsforge.data.cubes.hdf5_file import MissingDataset
from rsforge.data.files.other_commands import advise_cutting
from rsforge.data.io.image_reader import UnreadableError
from rsforge.errors import RsforgeError


def unreadable_patches(path: Path, reason: UnreadableError) -> RsforgeError:
    """RSF-D008 for a file of patches; where it lacks their arrays, the remedy says how a cube is cut into patches."""
    fix = advise_cutting(path) if isinstance(reason, MissingDataset) else reason.fix
    what = f"{path.name} cannot be used as patches: {reason}"
    return RsforgeError("RSF-D008", what, where=str(path), fix=fix)
