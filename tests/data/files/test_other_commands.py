"""Which command reads the files of a folder without images."""

from __future__ import annotations

from pathlib import Path

import pytest

from rsforge.data.files.other_commands import advise_cutting, suggest_command


@pytest.mark.parametrize(
    ("names", "command"),
    [
        (["a.img", "a.HDR"], "rsforge data hsi-patches --input 'my set' --output-dir OUT"),
        (["x/a.he5"], "rsforge data hsi-patches --input 'my set' --output-dir OUT"),
        (["train-0.parquet", "a.nc"], "rsforge data parquet-to-jsonl --parquet-path 'my set' --output-dir OUT"),
        (["a.heic", "b.txt"], ""),
    ],
)
def test_suffixes_name_the_command(names, command):
    said = suggest_command(Path("my set"), [Path("my set", name) for name in names])
    assert (f"`{command}`" in said) if command else said == ""


def test_a_file_that_is_none_of_patches_is_cut_into_them(tmp_path):
    command = f"rsforge data hsi-patches --input '{tmp_path}/a b.h5' --output-dir OUT"
    assert f"`{command}`" in advise_cutting(tmp_path / "a b.h5")
