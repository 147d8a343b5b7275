"""The zip archive of a checkpoint, judged by its directory before anything in it is read."""

from __future__ import annotations

import zipfile
from pathlib import Path

from rsforge.errors import RsforgeError

SIGNATURE = b"PK\x03\x04"
PROGRAM = "/data.pkl"  # the record that torch.save writes beside those of the tensors
MOST_PROGRAM_BYTES = 64 << 20


def check_archive(path: Path, role: str) -> None:
    """Refuse an archive that torch.save did not write, or whose records are larger than the file itself.

    torch.save stores its records as they are; torch.load would also read compressed ones, of any size, into memory.
    RSF-C003 for something else or for compressed records, C002 for a directory that cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(len(SIGNATURE))
    if head != SIGNATURE and _has_lost_its_head(path, head):
        raise RsforgeError("RSF-C002", f"{role} is damaged", where=str(path), found="it does not begin as a checkpoint")
    if head != SIGNATURE:
        raise _foreign(path, role)
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
    except Exception as error:
        found = str(error)[:120] or type(error).__name__
        raise RsforgeError("RSF-C002", f"{role} is damaged", where=str(path), found=found) from error
    programs = [record for record in records if record.filename.endswith(PROGRAM)]
    if not programs:
        raise _foreign(path, role)
    if any(record.compress_type != zipfile.ZIP_STORED for record in records):
        raise _foreign(path, role, found="compressed records, which no checkpoint has")
    declared, whole = sum(record.file_size for record in records), path.stat().st_size
    if declared > whole:
        raise RsforgeError(
            "RSF-C002", f"{role} is damaged", where=str(path), found=f"{declared} bytes declared in {whole}"
        )
    if len(programs) > 1 or programs[0].file_size > MOST_PROGRAM_BYTES:
        raise _foreign(path, role, found="more metadata than a checkpoint has")


def _has_lost_its_head(path: Path, head: bytes) -> bool:
    """Whether the beginning of a checkpoint is missing or zero, as after a power cut: an empty file has lost all."""
    return SIGNATURE.startswith(head) or not any(head) or zipfile.is_zipfile(path)


def _foreign(path: Path, role: str, found: str = "") -> RsforgeError:
    return RsforgeError("RSF-C003", f"{role} is not an rsforge checkpoint", where=str(path), found=found)
