"""Small text encoders and the pairs they are trained on."""

from __future__ import annotations

from pathlib import Path

from tests.worlds.commands import rsforge

TINY = (
    "--image-size 16 --embedding-dim 16 --num-heads 2 --num-layers 1 --max-length 16 --image-channels 4,8 "
    "--projection-dim 8 --num-workers 0 --batch-size 8 --warmup-steps 0 --lr 3e-3 --report-to none --device cpu "
    "--dropout 0 "
)
TRAIN = "clip train --dataset-path {} --output-dir {} " + TINY


def draw_dataset(folder: Path, count: int = 48) -> Path:
    """``Dataset/`` as the document has it: regions of pairs with their tables."""
    assert rsforge(f"data synth --kind pairs-csv --count {count} --size 16 --output-dir {{}} --quiet", folder) == 0
    return folder
