"""The split that a source states."""

from __future__ import annotations

from pathlib import Path

from rsforge.data.captions.image_folder import CaptionFolder, Summary
from rsforge.data.splits.split_file import load_split
from rsforge.recipes.data.stated_sides import write_sides
from tests.worlds.consoles import RecordingConsole
from tests.worlds.published_layouts import save


def folder_of(root: Path, *sides: str) -> CaptionFolder:
    folder = CaptionFolder(root, root / "images", root / "captions.txt", "first", {})
    folder.images.mkdir()
    rows = [
        {"file": f"image_{n:06d}.png", "split": side} if side else {"file": f"image_{n:06d}.png"}
        for n, side in enumerate(sides)
    ]
    for n, row in enumerate(rows):
        save(folder.images / row["file"], n)
    folder.commit_chunk([{"bad": "x"}], [])
    folder._append_records("".join(f"{row}\n" for row in rows).replace("'", '"').encode())
    return folder


def test_the_sides_of_all_images_are_written_with_their_digests(tmp_path):
    folder, console = folder_of(tmp_path, "train", "test", "", "train"), RecordingConsole()
    write_sides(folder, Summary(sides={"train": 2, "test": 1}), console)
    split = load_split(folder.images / "split.json")
    assert split.subsets == {"train": ["image_000000.png", "image_000003.png"], "val": [], "test": ["image_000001.png"]}
    assert split.left_out == ["image_000002.png"] and split.by == "stated" and len(split.facts["contents"]) == 4


def test_one_side_is_no_split(tmp_path):
    folder = folder_of(tmp_path, "train")
    write_sides(folder, Summary(), RecordingConsole())
    assert not (folder.images / "split.json").exists()
