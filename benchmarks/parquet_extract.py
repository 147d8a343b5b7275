"""Extracting captioned images from Parquet, beside the plain loop of pandas and Pillow over the same file.

Both sides are whole processes, imports included, and make the same pictures: 512 x 512, Lanczos, JPEG of quality 95.
The claims: at most 1/1.8 of the loop's time on 500 images and two processors, at most a third of its memory on 5,000.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _paired import THREADS, Spent, interleaved, repeats, report

SIDE, TIMED, WEIGHED = 224, 500, 5000
CLAIM, MEMORY_CLAIM = 1 / 1.8, 1 / 3

LOOP = """
import io, json, sys
from pathlib import Path
import pandas
from PIL import Image
source, target = sys.argv[1], Path(sys.argv[2])
(target / "rsicd_images").mkdir(parents=True)
table = pandas.read_parquet(source)
with (target / "captions.txt").open("w") as captions, (target / "metadata.jsonl").open("w") as metadata:
    for number, (_, row) in enumerate(table.iterrows(), 1):
        name = f"image_{number:06d}.jpg"
        image = Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB")
        image.resize((512, 512), Image.LANCZOS).save(target / "rsicd_images" / name, quality=95)
        captions.write(f"{name}\\t{row['captions'][0]}\\n")
        metadata.write(json.dumps({"file_name": name, "text": row["captions"][0]}) + "\\n")
"""
SIDES = {
    "pandas and Pillow": [sys.executable, "-c", LOOP, "{}", "{}"],
    "rsforge": [sys.executable, "-m", "rsforge", "data", "parquet-to-jsonl", "--quiet",
                "--parquet-path", "{}", "--output-dir", "{}"],
}  # fmt: skip


# Written by a process of its own: what a child holds at most is never told below what its parent held.
WRITE = """
import io, sys
import numpy as np, pandas
from PIL import Image
path, count, side = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
chance, rows = np.random.default_rng(0), []
for number in range(count):
    fields = Image.fromarray(chance.integers(40, 200, (14, 14, 3), np.uint8)).resize((side, side))
    grain = chance.normal(0, 9, (side, side, 1))
    buffer = io.BytesIO()
    Image.fromarray(np.clip(np.asarray(fields) + grain, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=88)
    name = f"rsicd_images/scene_{number}.jpg"
    captions = [f"fields seen from above , view {k} of {name} ." for k in range(5)]
    rows.append({"filename": name, "captions": captions, "image": {"bytes": buffer.getvalue(), "path": name}})
pandas.DataFrame(rows).to_parquet(path)
"""


def write(path: Path, count: int) -> Path:
    """A table of ``count`` rows in the layout of RSICD, with pictures about as heavy as its own."""
    subprocess.run([sys.executable, "-c", WRITE, str(path), str(count), str(SIDE)], check=True)
    return path


def ran(command: list[str], source: Path, folder: Path) -> tuple[Spent, float]:
    """What one process takes, and the MiB it held at most."""
    target = folder / "out"
    shutil.rmtree(target, ignore_errors=True)
    slots = iter((str(source), str(target)))
    words = [next(slots) if word == "{}" else word for word in command]
    began = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or len(list((target / "rsicd_images").glob("*.jpg"))) not in (TIMED, WEIGHED):
        raise subprocess.CalledProcessError(process.returncode, words[:3])
    return Spent(wall, usage.ru_utime + usage.ru_stime), usage.ru_maxrss / 1024


def main() -> None:
    rounds = repeats(5)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    with tempfile.TemporaryDirectory() as slot:
        folder = Path(slot)
        timed, weighed = write(folder / "timed.parquet", TIMED), write(folder / "weighed.parquet", WEIGHED)
        sides = {n: lambda c=c: ran(c, timed, folder)[0] for n, c in SIDES.items()}
        interleaved(sides, 1)  # the first start reads the disk and compiles
        spent = interleaved(sides, rounds)
        size = round(timed.stat().st_size / TIMED)
        report(
            "parquet_extract", spent, against="pandas and Pillow", images=TIMED, row_bytes=size,
            claimed_below=round(CLAIM, 4),
        )  # fmt: skip
        held = {name: round(ran(command, weighed, folder)[1], 1) for name, command in SIDES.items()}
        ratio = held["rsforge"] / held["pandas and Pillow"]
        line = {"benchmark": "parquet_extract memory", "images": WEIGHED, "peak_mib": held, "ratio": round(ratio, 4)}
        print(json.dumps(line | {"claimed_below": round(MEMORY_CLAIM, 4)}))


if __name__ == "__main__":
    main()
