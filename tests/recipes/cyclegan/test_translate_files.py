"""What is translated, under which names, and what stops or is left out; nothing of the user's is written over."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import rasterio

from rsforge import durable
from rsforge.data.io.rasters import read_raster
from tests.worlds.commands import rsforge
from tests.worlds.cyclegan import write_checkpoint
from tests.worlds.pairs import save, write_pairs
from tests.worlds.translation import decibels, files, noise, raster, refused, told, translate


def test_an_interruption_leaves_whole_files_and_what_is_there_can_be_kept(checkpoints, tmp_path, same, capsys):
    for k in range(3):
        raster(tmp_path / f"in/{k}.tif", noise(90, 70, 1, seed=k))
    paths = checkpoints / "one.pt", tmp_path / "in", tmp_path / "out"
    same(until=5)
    assert translate("--input {} --output {} --batch-size 4", *paths) == 130
    assert files(tmp_path / "out") == ["0.tif"]
    assert "--batch-size 4 --skip-existing\n" in capsys.readouterr().err
    same()
    assert "go on with --skip-existing" in refused(capsys, "RSF-U004", "--input {} --output {}", *paths)
    before = (tmp_path / "out/0.tif").stat()
    for made, there in ((2, 1), (0, 3)):
        assert translate("--input {} --output {} --skip-existing --json", *paths) == 0
        result = told(capsys)
        assert (result["images"], result["there"]) == (made, there)
    assert (tmp_path / "out/0.tif").stat() == before
    for k in range(3):
        assert np.array_equal(read_raster(tmp_path / f"out/{k}.tif").values[..., :1], noise(90, 70, 1, seed=k))


def test_of_a_folder_of_pairs_one_side_is_translated(checkpoints, tmp_path, capsys):
    write_pairs(tmp_path / "v2", ("agri", "urban"), count=2, size=32)
    for direction, side in (("sar2optical", "s1"), ("optical2sar", "s2")):
        out = tmp_path / side
        line = f"--direction {direction} --input {{}} --output {{}} --json"
        assert translate(line, checkpoints / "one.pt", tmp_path / "v2", out) == 0
        captured = capsys.readouterr()
        assert json.loads(captured.out)["images"] == 4 and "laid out as terrain" in captured.err
        assert {Path(name).parts[:2] for name in files(out)} == {("agri", side), ("urban", side)}


def test_a_list_is_followed_and_what_is_missing_is_named_with_its_line(checkpoints, tmp_path, capsys):
    save(tmp_path / "in/a.png", noise(20, 20))
    (tmp_path / "list.txt").write_text("# images\n\nin/a.png\nin/none.png\n")
    line = "--input {} --output {}"
    error = refused(capsys, "RSF-D002", line, checkpoints / "one.pt", tmp_path / "list.txt", tmp_path / "out")
    assert "list.txt:4" in error and not (tmp_path / "out").exists()
    assert (
        translate(f"{line} --on-bad skip --json", checkpoints / "one.pt", tmp_path / "list.txt", tmp_path / "out") == 0
    )
    captured = capsys.readouterr()
    (missing,) = json.loads(captured.out)["left_out"]
    assert missing["name"].endswith("list.txt:4") and "none.png" in missing["reason"] and "list.txt:4" in captured.err
    assert files(tmp_path / "out") == ["in/a.png"]


def test_what_is_there_is_replaced_only_when_said_so(checkpoints, tmp_path, capsys):
    save(tmp_path / "in/a.png", noise(20, 20))
    save(tmp_path / "in/b.png", noise(20, 20))
    paths = checkpoints / "one.pt", tmp_path / "in", tmp_path / "out"
    (tmp_path / "out").mkdir()
    (tmp_path / "out/b.png").write_bytes(b"mine")
    error = refused(capsys, "RSF-U004", "--input {} --output {}", *paths)
    assert "--overwrite" in error and "b.png" in error and files(tmp_path / "out") == ["b.png"]
    assert (tmp_path / "out/b.png").read_bytes() == b"mine"
    for _ in range(2):
        assert translate("--input {} --output {} --overwrite", *paths) == 0
        done = [(tmp_path / "out" / name).read_bytes() for name in files(tmp_path / "out")]
    assert translate("--input {} --output {} --overwrite", *paths) == 0
    assert [(tmp_path / "out" / name).read_bytes() for name in files(tmp_path / "out")] == done


def test_inputs_are_never_written_to(checkpoints, tmp_path, capsys):
    path, one = save(tmp_path / "in/a.png", noise(20, 20)), checkpoints / "one.pt"
    before = path.read_bytes()
    refused(capsys, "RSF-U005", "--input {} --output {} --overwrite", one, tmp_path / "in", tmp_path / "in")
    for output in (path, tmp_path / "in"):
        refused(capsys, "RSF-U005", "--input {} --output {} --overwrite", one, path, output)
    (tmp_path / "link.png").symlink_to(path)
    refused(capsys, "RSF-U005", "--input {} --output {} --overwrite", one, path, tmp_path / "link.png")
    assert path.read_bytes() == before and files(tmp_path / "in") == ["a.png"]
    for _ in range(2):  # a folder below the images is not searched
        assert translate("--input {} --output {} --overwrite", one, tmp_path / "in", tmp_path / "in/out") == 0
    assert files(tmp_path / "in") == ["a.png", "out/a.png"]


def test_two_images_of_one_name_are_refused(checkpoints, tmp_path, capsys):
    for name in ("in/a.png", "in/a.jpg", "other/a.png"):
        save(tmp_path / name, noise(20, 20))
    one = checkpoints / "one.pt"
    error = refused(capsys, "RSF-U005", "--input {} --output {}", one, tmp_path / "in", tmp_path / "out")
    assert "a.jpg" in error and "a.png" in error
    line = "--input {} {} --output {}"
    refused(capsys, "RSF-U005", line, one, tmp_path / "in/a.png", tmp_path / "other", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_names_that_cannot_hold_the_result_are_refused(checkpoints, tmp_path, capsys):
    path = save(tmp_path / "in/a.png", noise(40, 40, 3))
    line = "--direction optical2sar --input {} --output {}"
    assert "name it .tif" in refused(capsys, "RSF-U006", line, checkpoints / "two.pt", path, tmp_path / "b.png")
    refused(capsys, "RSF-U005", line, checkpoints / "one.pt", tmp_path / "in", tmp_path / "b.png")
    (tmp_path / "empty").mkdir()
    for place in ("empty", "none.png"):
        for output in ("out", "b.png")[: 1 + (place == "none.png")]:
            refused(capsys, "RSF-D001", line, checkpoints / "one.pt", tmp_path / place, tmp_path / output)


def test_images_that_cannot_be_used_stop_or_are_left_out(checkpoints, tmp_path, capsys):
    save(tmp_path / "in/a.png", noise(20, 20))
    (tmp_path / "in/b.png").write_bytes(b"no picture")
    cut = save(tmp_path / "in/c.png", noise(90, 90))
    cut.write_bytes(cut.read_bytes()[:3000])  # its header is sound
    raster(tmp_path / "in/d.tif", decibels(20, 20))
    raster(tmp_path / "in/e.tif", decibels(20, 20, 1))
    line, paths = "--input {} --output {}", (checkpoints / "one.pt", tmp_path / "in", tmp_path / "out")
    assert "b.png" in refused(capsys, "RSF-D002", line, *paths)
    (tmp_path / "in/b.png").unlink()
    error = refused(capsys, "RSF-D003", line, *paths)
    assert "d.tif has 2 bands" in error and "takes 1" in error
    (tmp_path / "in/d.tif").unlink()
    assert "e.tif" in refused(capsys, "RSF-D010", line, *paths) and not (tmp_path / "out").exists()
    assert translate(f"{line} --on-bad skip --json", *paths) == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert result["images"] == 1 and files(tmp_path / "out") == ["a.png"]
    reasons = {Path(one["name"]).name: one["reason"] for one in result["left_out"]}
    assert reasons.keys() == {"c.png", "e.tif"} and reasons["e.tif"].endswith("float32 values are not uint8")
    assert "c.png" in captured.err and "e.tif" in captured.err
    (tmp_path / "in/e.tif").unlink()
    assert "c.png" in refused(capsys, "RSF-D002", f"{line} --overwrite --batch-size 1", *paths)
    assert files(tmp_path / "out") == ["a.png"]
    (tmp_path / "in/a.png").unlink()
    refused(capsys, "RSF-D001", f"{line} --overwrite --on-bad skip", *paths)


def test_what_is_left_out_is_not_written_over(checkpoints, tmp_path, capsys):
    good, bad = save(tmp_path / "in/b.jpg", noise(20, 20)), tmp_path / "in/b.png"
    bad.write_bytes(b"no picture, but mine")
    line = "--input {} {} --output {} --on-bad skip --overwrite"
    error = refused(capsys, "RSF-U005", line, checkpoints / "one.pt", good, bad, tmp_path / "in")
    assert "b.png is one of the images" in error and bad.read_bytes() == b"no picture, but mine"


def test_only_files_are_left_alone(checkpoints, tmp_path, capsys):
    save(tmp_path / "in/a.png", noise(20, 20))
    (tmp_path / "out/a.png").mkdir(parents=True)
    line = "--input {} --output {} --skip-existing"
    assert "a.png" in refused(capsys, "RSF-U004", line, checkpoints / "one.pt", tmp_path / "in", tmp_path / "out")


def test_what_a_killed_process_left_of_a_file_goes_with_the_next_try(checkpoints, tmp_path):
    save(tmp_path / "in/a.png", noise(20, 20))
    with subprocess.Popen(["true"]) as dead:
        pass
    (tmp_path / "out").mkdir()
    kept = [f".tmp-{dead.pid}-b.png", f".tmp-{os.getppid()}-a.png", ".tmp-mine-a.png"]
    for name in (f".tmp-{dead.pid}-a.png", *kept):
        (tmp_path / "out" / name).write_bytes(b"part")
    assert translate("--input {} --output {}", checkpoints / "one.pt", tmp_path / "in", tmp_path / "out") == 0
    assert files(tmp_path / "out") == sorted([*kept, "a.png"])


def test_a_file_that_is_no_picture_is_no_folder(checkpoints, tmp_path, capsys):
    path, line = save(tmp_path / "a.png", noise(20, 20)), "--input {} --output {}"
    assert "o.gif" in refused(capsys, "RSF-U006", line, checkpoints / "one.pt", path, tmp_path / "o.gif")
    (tmp_path / "there.gif").mkdir()
    for name in ("there.gif", "run_0.5", "results.v2"):
        assert translate(line, checkpoints / "one.pt", path, tmp_path / name) == 0
        assert files(tmp_path / name) == ["a.png"]


def test_an_image_without_data_and_the_bands_of_sar_are_named(checkpoints, tmp_path, capsys):
    alpha = np.zeros((20, 20, 4), np.uint8)
    save(tmp_path / "in/a.png", alpha)
    raster(tmp_path / "in/b.tif", noise(20, 20, 3))
    line = "--direction optical2sar --input {} --output {} --json"
    assert translate(line, checkpoints / "two.pt", tmp_path / "in", tmp_path / "out") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["empty"] == [str(tmp_path / "in/a.png")] and "no valid pixel" in captured.err
    with rasterio.open(tmp_path / "out/b.tif") as target:
        assert target.descriptions == ("sigma0_db_1", "sigma0_db_2")


def test_a_dry_run_judges_and_writes_nothing(checkpoints, tmp_path, capsys):
    save(tmp_path / "in/a.png", noise(60, 60))
    line = "--input {} --output {} --dry-run --json"
    assert translate(line, checkpoints / "one.pt", tmp_path / "in", tmp_path / "out") == 0
    plan = told(capsys)["plan"]
    assert (plan["images"], plan["tiles"]) == (1, 9) and not (tmp_path / "out").exists()
    refused(capsys, "RSF-U005", f"{line} --tile 40", checkpoints / "one.pt", tmp_path / "in", tmp_path / "out")


def test_what_was_finished_before_the_disk_was_full_stays_whole(checkpoints, tmp_path, monkeypatch, capsys):
    for k in range(4):
        raster(tmp_path / f"in/{k}.tif", noise(70, 40, 1))
    renamed = []

    def full(operation: str) -> None:
        renamed.append(operation == "rename")
        if sum(renamed) > 2:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(durable, "before_operation", full)
        line = "--input {} --output {} --batch-size 2"
        assert translate(line, checkpoints / "one.pt", tmp_path / "in", tmp_path / "out") == 6
    assert "RSF-E001" in capsys.readouterr().err and files(tmp_path / "out") == ["0.tif", "1.tif"]
    assert all(read_raster(tmp_path / "out" / name).values.shape == (70, 40, 3) for name in ("0.tif", "1.tif"))


def test_the_progress_ends_with_the_last_tile(tmp_path, capsys):
    write_checkpoint(tmp_path / "c.pt")
    save(tmp_path / "a.png", np.zeros((70, 70), np.uint8))
    assert rsforge("cyclegan translate --checkpoint {} --input {} --output {} --batch-size 4", tmp_path / "c.pt",
                   tmp_path / "a.png", tmp_path / "out") == 0  # fmt: skip
    assert "tile 9/9" in capsys.readouterr().err


def test_people_read_how_many_images_where_they_lie_and_what_was_left_out(checkpoints, tmp_path, capsys):
    save(tmp_path / "in/a.png", noise(20, 20))
    (tmp_path / "in/b.png").write_bytes(b"\x89PNG no more")
    line = "--input {} --output {} --on-bad skip"
    assert translate(line, checkpoints / "one.pt", tmp_path / "in", tmp_path / "out") == 0
    first, place, count, reason = capsys.readouterr().out.splitlines()
    assert first == "1 image in 1 tile, from SAR to optical, on cpu"
    assert place == f"output: {tmp_path / 'out'}" and count == "1 image left out:"
    assert "in/b.png" in reason and "it is not an intact PNG" in reason
    assert translate(f"{line} --skip-existing", checkpoints / "one.pt", tmp_path / "in", tmp_path / "out") == 0
    assert "1 file of an earlier call kept" in capsys.readouterr().out
