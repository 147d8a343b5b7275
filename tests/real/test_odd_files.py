"""Every odd file ends in a right reading or a named error: no traceback, no hang, no memory past two gigabytes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

LIMIT_KIB = 2 << 20
EACH = """
import json, resource, sys
from pathlib import Path
from rsforge.cli.main import run
out, line, files = Path(sys.argv[1]), sys.argv[2].split(), sys.argv[3:]
codes = {f: run([{"IN": f, "OUT": str(out / str(k))}.get(w, w) for w in line]) for k, f in enumerate(files)}
print(json.dumps({"codes": codes, "kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
"""


def told(files: list[Path], line: str, out: Path) -> tuple[dict[str, int], list[str], str]:
    """Exit code by file, the codes that stderr names, and stderr."""
    command = [sys.executable, "-c", EACH, str(out), line, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["kib"] < LIMIT_KIB and "Traceback" not in done.stderr and "RSF-B001" not in done.stderr
    errors = [row for row in done.stderr.splitlines() if row.startswith("error[RSF-")]
    return {Path(name).name: code for name, code in answer["codes"].items()}, errors, done.stderr


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("parquet", "data parquet-to-jsonl --parquet-path IN --output-dir OUT --quiet"),
        ("hdf5", "data hsi-patches --input IN --output-dir OUT --patch-size 8 --quiet"),
    ],
)
def test_each_file_is_refused_by_name(real_data, tmp_path, kind, line):
    files = sorted(path for path in (real_data / "odd_files" / kind).rglob("*") if path.is_file())
    codes, errors, stderr = told(files, line, tmp_path)
    assert set(codes.values()) == {3}, codes
    assert len(errors) == len(files), stderr
    assert [error for error in errors if not error.startswith("error[RSF-D")] == []


def test_the_audit_names_the_images_that_cannot_be_read(real_data, tmp_path):
    folder = real_data / "odd_files" / "images"
    codes, errors, _ = told([folder], f"data audit --data-dir IN --output-dir {tmp_path} --quiet", tmp_path)
    assert codes == {"images": 3} and "RSF-D013" in errors[0]
    text = (tmp_path / "audit.json").read_text()
    for name in ("truncated_image.png", "broken_data_stream.png", "rasterio_corrupt.tif", "crash-2020-10-test.tif"):
        assert name in text
