"""Data as it is published and as programs of other systems leave it, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from rsforge.cli.main import run
from rsforge.data.splits.split_file import load_split
from tests.worlds import published_layouts as worlds
from tests.worlds.commands import command


@pytest.fixture
def call(capsys):
    def of(line: str, *paths: object, code: int = 0) -> dict:
        assert run(command(f"{line} --json", *paths)) == code, capsys.readouterr()
        told = capsys.readouterr()
        return json.loads(told.out if code == 0 else told.err.splitlines()[-1]) | {"err": told.err}

    return of


def read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


PAIRED = {
    "sen12": worlds.sen12_as_downloaded,
    "prefixes": lambda root: worlds.save_pairs(root, *((f"sar/sar{n}.png", f"opt/opt{n}.png") for n in range(4))),
    "products": worlds.products_in_names,
    "mac": worlds.names_of_a_mac,
    "cache": worlds.cache_of_a_hub,
    "windows": lambda root: worlds.table_of_a_spreadsheet(root, "cp1252"),
    "marks": lambda root: worlds.table_of_a_spreadsheet(root, "utf-8-sig"),
}


@pytest.mark.parametrize("name", PAIRED)
def test_pairs_are_found_and_nothing_is_faulty(tmp_path, call, name):
    root = PAIRED[name](tmp_path / "set")
    told = call("data audit --data-dir {} --output-dir {}", root, tmp_path / "audit")
    count = len(list(root.rglob("*.png"))) // 2
    assert (told["kind"], told["items"], told["errors"], told["warnings"]) == ("pairs", count, 0, 0), told
    stats = call("data stats --data-dir {}", root)
    if name in ("windows", "marks"):
        assert stats["counts"]["country"] == {"Österreich": 3} and "semicolons" in told["err"]
        assert ("Windows-1252" in told["err"]) == (name == "windows")


def test_scenes_of_a_season_stay_together(tmp_path, call):
    root = worlds.sen12_as_downloaded(tmp_path)
    call("data split --data-dir {} --val 0.5", root)
    subsets = load_split(root / "split.json").subsets
    scenes = [{name.rpartition("_")[0] for name in subsets[side]} for side in ("train", "val")]
    assert all(len(own) == 1 for own in scenes) and scenes[0] != scenes[1]


@pytest.mark.parametrize("name", ["{scene}__1__{col}___{row}.png", "{scene}_0_{col}_{row}_{col_end}_{row_end}.png"])
def test_overlapping_tiles_are_held_out_by_scene(tmp_path, call, name):
    root = worlds.overlapping_tiles(tmp_path, name)
    told = call("data split --data-dir {} --by scene", root)
    subsets = load_split(root / "split.json").subsets
    assert {name[:2] for name in subsets["train"]} != {name[:2] for name in subsets["val"]}
    assert (told["train"], told["val"]) == (16, 16) and "names tell the scenes" in told["err"]
    assert call("data split --data-dir {} --by block --output {}", root, tmp_path / "b.json")["val"]


def test_overlapping_tiles_of_unknown_scenes_are_refused(tmp_path, call):
    root = worlds.overlapping_tiles(tmp_path, "{scene}-{row}x{col}.png")
    told = call("data split --data-dir {} --by scene", root, code=3)
    assert told["code"] == "RSF-D011" and "scenes are unknown" in told["message"]
    assert not (root / "split.json").exists()


def test_captions_beside_images_in_a_table_with_commas(tmp_path, call):
    for n in range(4):
        worlds.save(tmp_path / f"{n}.png", n)
    rows = "".join(f"{n}.png,a field\n" for n in range(5))
    (tmp_path / "metadata.csv").write_text(f"file_name,text\n{rows}")
    told = call("data audit --data-dir {}", tmp_path, code=3)
    assert "1 orphan (4.png: metadata.csv:6 names it" in told["found"] and "captions" in told["message"]


def test_backslashes_in_file_names_are_separators(tmp_path, call):
    for n in range(3):
        worlds.save(tmp_path / "images" / f"Zürich {n}.png", n)
    rows = [{"file_name": f"images\\Zu\u0308rich {n}.png", "text": "t"} for n in range(3)]
    (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert call("data audit --data-dir {}", tmp_path)["errors"] == 0
    rows[0]["file_name"] = "images/zürich 0.png"
    (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    call("data audit --data-dir {}", tmp_path, code=3)
    assert (
        "Zürich 0.png differs in capital letters alone"
        in json.loads((tmp_path / "audit.json").read_text())["faults"][1]["reason"]
    )


TABLES = {
    "heading": ("file_name\ttext\na.png\tune forêt\n", "utf-8"),
    "utf-16": ("a.png\tune forêt\r\n", "utf-16"),
    "cp1252": ("a.png\tune forêt\r\n", "cp1252"),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_captions_of_other_programs(tmp_path, call, name):
    text, encoding = TABLES[name]
    (tmp_path / "c.txt").write_bytes(text.encode(encoding))
    told = call("data captions-to-jsonl --caption-file {} --output-file {}", tmp_path / "c.txt", tmp_path / "m.jsonl")
    assert "repeats another" not in told["err"]
    assert read_lines(tmp_path / "m.jsonl") == [{"file_name": "a.png", "text": "une forêt"}]
    assert told["captions"] == 1 and "table      c.txt is read as" in told["err"]


def test_captions_that_repeat_others_of_their_image_are_told(tmp_path, call):
    (tmp_path / "c.txt").write_text("a.png\tx\na.png\tx\nb.png\tx\na.png\ty\n")
    told = call("data captions-to-jsonl --caption-file {} --output-file {}", tmp_path / "c.txt", tmp_path / "m.jsonl")
    assert told["captions"] == 4 and "1 caption repeats another" in told["err"]


def test_json_of_images_keeps_captions_and_sides(tmp_path, call):
    source = worlds.karpathy(tmp_path / "dataset_rsicd.json")
    for n in range(3):
        worlds.save(tmp_path / "images" / f"port_{n}.png", n)
    out = tmp_path / "images" / "metadata.jsonl"
    told = call("data captions-to-jsonl --caption-file {} --output-file {} --images-dir {}", source, out, out.parent)
    assert told["captions"] == 15 and "sides      1 train, 1 val, 1 test" in told["err"]
    assert read_lines(out)[5] == {"file_name": "port_1.png", "text": "port 1 0 .", "split": "val"}
    assert call("data split --data-dir {}", out.parent)["by"] == "stated"
    assert load_split(out.parent / "split.json").subsets == {
        s: [f"port_{n}.png"] for n, s in enumerate(("train", "val", "test"))
    }


EXTRACT = "data parquet-to-jsonl --parquet-path {} --output-dir {} --resolution 16"


def test_sides_of_shards_become_the_split_that_trainings_follow(tmp_path, call):
    root, out = worlds.shards_of_sides(tmp_path / "set"), tmp_path / "out"
    told = call(EXTRACT, root, out)
    assert told["rows"] == 6 and told["sides"] == {"train": 3, "test": 2, "val": 1}
    split = load_split(out / "rsicd_images" / "split.json")
    assert {side: len(names) for side, names in split.subsets.items()} == {"train": 3, "val": 1, "test": 2}
    assert {row["split"] for row in read_lines(out / "metadata.jsonl")} == {"train", "val", "test"}
    assert call(EXTRACT, root, out)["state"] == "unchanged"
    call(f"{EXTRACT} --overwrite", root / "data" / "train-00000-of-00001.parquet", out)
    assert not (out / "rsicd_images" / "split.json").exists() and "split" not in read_lines(out / "metadata.jsonl")[0]


def test_a_split_of_the_user_is_left_alone(tmp_path, call):
    root, out = worlds.shards_of_sides(tmp_path / "set"), tmp_path / "out"
    (out / "rsicd_images").mkdir(parents=True)
    (out / "rsicd_images" / "split.json").write_text("mine")
    assert "is left as it is" in call(EXTRACT, root, out)["err"]
    assert (out / "rsicd_images" / "split.json").read_text() == "mine"


def test_a_column_of_sides_and_sentences_as_records(tmp_path, call):
    kind = pa.list_(pa.struct([("tokens", pa.list_(pa.string())), ("raw", pa.string()), ("sentid", pa.int64())]))
    rows = [[{"tokens": ["x"], "raw": f"s{k} of {n}", "sentid": k} for k in range(5)] for n in range(3)]
    path = worlds.write_parquet(tmp_path / "a.parquet", pa.array(rows, kind), split=["train", "validation", "extra"])
    told = call(f"{EXTRACT} --captions rows", path, tmp_path / "out")
    assert told["captions"] == 15 and "1 image of no stated side" in told["err"]
    split = load_split(tmp_path / "out" / "rsicd_images" / "split.json")
    assert split.subsets["val"] == ["image_000002.jpg"] and split.left_out == ["image_000003.jpg"]


def test_lists_in_texts_repeats_and_numbered_columns(tmp_path, call):
    path = worlds.write_parquet(tmp_path / "a.parquet", pa.array(["['a', 'a', 'b']", "c"]), raw_1=["x", "y"])
    told = call(f"{EXTRACT} --captions rows --caption-column captions", path, tmp_path / "out")
    assert [row["text"] for row in read_lines(tmp_path / "out" / "metadata.jsonl")] == ["a", "a", "b", "c"]
    assert told["repeated_captions"] == 1 and "captions of 1 row stand as the text of a list" in told["err"]
    path = worlds.write_parquet(tmp_path / "b.parquet", pa.array([["a port ."] * 5] * 2))
    told = call(f"{EXTRACT} --captions rows", path, tmp_path / "b")
    assert (told["captions"], told["repeated_captions"]) == (10, 8) and "8 captions repeat another" in told["err"]
    table = pa.array(["p"])
    path = worlds.write_parquet(tmp_path / "c.parquet", table, caption_1=["q"], caption_2=["r"])
    told = call(f"{EXTRACT} --captions all --caption-column caption_1", path, tmp_path / "c")
    assert read_lines(tmp_path / "c" / "metadata.jsonl")[0]["text"] == ["q", "r"]


def test_a_list_of_one_image_is_an_image(tmp_path, call):
    cells = [[{"bytes": worlds.encode(n), "path": "x"}] * count for n, count in enumerate((1, 2, 0))]
    images = pa.array(cells, pa.list_(worlds.IMAGE))
    path = worlds.write_parquet(tmp_path / "a.parquet", pa.array(["a", "b", "c"]), images=images)
    told = call(f"{EXTRACT} --on-bad skip", path, tmp_path / "out")
    assert told["images"] == 1 and [line.split(": ")[1] for line in told["left_out"]] == [
        "it has 2 images where one is expected",
        "it has no image",
    ]


def test_a_tar_is_extracted_and_elsewhere_refused(tmp_path, call):
    path = worlds.webdataset(tmp_path / "set" / "shard-000000.tar")
    told = call(EXTRACT, path.parent, tmp_path / "out")
    rows = [{"file_name": f"image_00000{n + 1}.jpg", "text": f"caption {n}", "source": f"000{n}"} for n in range(3)]
    assert told["images"] == 3 and read_lines(tmp_path / "out" / "metadata.jsonl") == rows
    for line in (
        "data audit --data-dir {}",
        "vae train --data-dir {} --dry-run",
        "diffusion finetune --data-dir {} --dry-run",
    ):
        assert "parquet-to-jsonl" in call(line, path.parent, code=3)["fix"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
def test_lists_of_classes_from_windows(tmp_path, call, encoding):
    for name in ("0001_0001", "0002_0001"):
        worlds.save(tmp_path / "in" / f"{name}.png", int(name[3]))
    (tmp_path / "in" / "classes.txt").write_bytes("id;name\r\n0001;forêt\r\n0002;beach\r\n".encode(encoding))
    told = call("data prepare-classes --data-dir {} --output-dir {} --no-visualize", tmp_path / "in", tmp_path / "out")
    assert told["classes"] == {"1 forêt": 1, "2 beach": 1} and ("read as" in told["err"]) == (encoding != "utf-8-sig")


def test_folders_of_sides_are_kept_and_not_mixed_unsaid(tmp_path, call):
    for k, side in enumerate(("train", "test")):
        for n in range(3):
            worlds.save(tmp_path / side / f"{n}.png", 10 * k + n)
    train = "vae train --data-dir {} --dry-run --image-size 16"
    told = call(train, tmp_path, code=3)
    assert told["code"] == "RSF-D011" and "sides test, train" in told["message"]
    assert call(f"{train} --split none", tmp_path)
    told = call("data split --data-dir {} --val 0.3 --by scene --output {}", tmp_path, tmp_path / "x.json")
    assert "which --by scene mixes" in told["err"]
    assert call("data split --data-dir {}", tmp_path)["by"] == "stated"
    assert "3 train, 3 test" in call(train, tmp_path)["err"]


def test_an_image_on_two_stated_sides_is_a_leak(tmp_path, call):
    for n in range(3):
        worlds.save(tmp_path / "train" / f"{n}.png", n)
        worlds.save(tmp_path / "test" / f"{n + 5}.png", n + 2)
    told = call("data audit --data-dir {} --output-dir {}", tmp_path, tmp_path / "audit", code=3)
    assert "1 leak" in told["found"] and "train/2.png" in told["found"]


def test_what_is_not_understood_is_no_sound_folder_of_tiles(tmp_path, call):
    for n in range(4):
        worlds.save(tmp_path / "sar" / f"{n}.png", n)
        worlds.save(tmp_path / "photo" / f"{n}.png", 10 + n)
    told = call("data audit --data-dir {} --output-dir {}", tmp_path, tmp_path / "audit")
    assert told["counts"] == {"unread": 1} and told["kind"] == "tiles"
