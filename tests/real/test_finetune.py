"""On real captions a short fine-tuning lowers the loss of images that were held out."""

from __future__ import annotations

from rsforge.engine.journal import read
from rsforge.recipes.pretrained.load import load_pretrained
from tests.worlds.captioned_folder import LINE
from tests.worlds.commands import rsforge
from tests.worlds.pretrained_model import write_model


def test_30_steps_on_rsicd_lower_the_held_out_loss(real_data, tmp_path):
    line = "data parquet-to-jsonl --parquet-path {} --output-dir {} --resolution 16 --captions all --quiet"
    assert rsforge(line, real_data / "captions" / "parquet", tmp_path / "data") == 0
    line = LINE.replace("--max-train-steps 6", "--max-train-steps 30").replace("--save-every-steps 1", "")
    line = line.replace("--validate-every 2", "--validate-every-steps 10").replace("draws 2", "draws 32")
    line += "--val-fraction 0.3 --ema-decay 0.9 --sample-every 99"
    folder = tmp_path / "data" / "rsicd_images"
    assert rsforge(line, write_model(tmp_path / "sd"), folder, tmp_path / "run") == 0
    rows = [row for row in read(tmp_path / "run" / "journal.jsonl") if "val/loss" in row]
    losses = [row["val/loss"] for row in rows]
    assert [row["step"] for row in rows] == [10, 20, 30] and losses == sorted(losses, reverse=True)
    assert losses[0] - losses[-1] > 3 * rows[-1]["val/loss_se"]
    assert load_pretrained(tmp_path / "run").image_size == 16
