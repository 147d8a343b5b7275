"""``rsforge hsi evaluate`` from checkpoints to its report."""

from __future__ import annotations

import csv
import json
import math
import re
import shutil

import h5py
import pytest

from rsforge.engine import checkpoint
from rsforge.engine.journal import read
from rsforge.recipes.hsi_evaluation.evaluate import add_published, table
from rsforge.recipes.published.comparison import compare_published
from tests.worlds.commands import rsforge
from tests.worlds.hsi import TRAIN
from tests.worlds.spectral_evaluation import EVALUATE, draw_flights
from tests.worlds.spectral_patches import BANDS, WEIGHTS, drop, edit, write_plain

BOTH = EVALUATE + "--stage2-checkpoint {} "


@pytest.fixture(scope="module")
def done(flights, first, second, tmp_path_factory):
    """The folder of an evaluation of both stages."""
    folder = tmp_path_factory.mktemp("done") / "out"
    assert rsforge(f"{BOTH} --output-dir {{}}", first, flights, second, folder) == 0
    return folder


@pytest.fixture(scope="module")
def metrics(done):
    return json.loads((done / "metrics.json").read_text())


def test_it_writes_a_report_the_figures_and_a_table(done, metrics, flights, first, second, capsys):
    assert {path.name for path in done.iterdir()} - {".lock"} == {"metrics.json", "per_patch.csv", "report.html"}
    assert rsforge(f"{BOTH} --json", first, flights, second) == 0
    assert json.loads(capsys.readouterr().out) == {k: v for k, v in metrics.items() if k != "output_dir"}
    with (done / "per_patch.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 == metrics["patches"] and float(rows[0]["stage1_sam_deg"]) > 0 < float(
        rows[2]["end_to_end_rmse"]
    )


def test_a_sensor_that_the_patches_do_not_simulate_is_refused(flights, first, capsys):
    assert rsforge(f"{EVALUATE} --sensor landsat9 --dry-run", first, flights) == 2
    assert "the patches simulate landsat8, not landsat9" in capsys.readouterr().err
    assert rsforge(f"{EVALUATE} --sensor landsat8 --dry-run", first, flights) == 0


def test_projected_predictions_are_measured_and_said(metrics, flights, first, second, tmp_path, capsys):
    line = f"{BOTH} --project --output-dir {{}}"
    assert rsforge(line, first, flights, second, tmp_path / "out") == 0
    assert "moved to the nearest non-negative spectra" in capsys.readouterr().out
    found = json.loads((tmp_path / "out/metrics.json").read_text())
    assert found["projected"] and not metrics["projected"]
    moved, free = (
        {name: stage["figures"]["model"] for name, stage in one["stages"].items()} for one in (found, metrics)
    )
    for name in ("stage1", "end_to_end"):
        assert moved[name]["response_rmse"]["mean"] < 1e-4 * free[name]["response_rmse"]["mean"]
        assert moved[name]["rmse"]["mean"] != free[name]["rmse"]["mean"]
        assert (
            found["stages"][name]["figures"]["ridge" if name == "stage1" else "ridge_bicubic"]
            == (metrics["stages"][name]["figures"]["ridge" if name == "stage1" else "ridge_bicubic"])
        )
    assert moved["stage2"] == free["stage2"]
    assert "moved to the nearest" in (tmp_path / "out/report.html").read_text()


def test_both_stages_are_compared_with_what_landsat_measured(first, second, tmp_path, capsys):
    """The mean of the true spectra over a pixel of Landsat is what it measured, where the files hold that."""
    path, found = draw_flights(tmp_path, "a", 1) / "a/test_patches.h5", []
    for lost in ([], ["landsat_native"]):
        with h5py.File(drop(path, *lost), "r+") as file:
            file.attrs["landsat_response"] = WEIGHTS
        assert rsforge(f"{BOTH} --side all --json", first, tmp_path, second) == 0
        found.append(json.loads(capsys.readouterr().out))
    new, old = ({name: s["response_rmse_of_truth"] for name, s in one["stages"].items()} for one in found)
    assert new["stage2"] == new["end_to_end"] < 1e-5 < 1e-2 < new["stage1"] == old["stage1"] and old["stage2"] > 1e-2
    said = [[doubt for doubt in one["doubts"] if "means of landsat over each pixel" in doubt] for one in found]
    assert said[0] == [] and "no landsat_native" in said[1][0]


def test_the_protocol_says_what_was_measured_and_what_was_trained_on(metrics, flights, first, second):
    assert (metrics["side"], metrics["side_reason"]) == ("val", "held out of the training, which knew no test subset")
    assert metrics["trained_on"] == {"stage1": 0, "stage2": 0} and metrics["data_dir"] == str(flights)
    assert metrics["split"] == checkpoint.load(first)["images"]["split"]
    assert set(metrics["weights"]) == {"stage1", "stage2"} and metrics["groups"] == "3 blocks"
    assert metrics["interval"] is None and metrics["interval_warning"].startswith("no interval can be had")
    doubts = " ".join(metrics["doubts"])
    assert "stage 1: the best epoch was chosen on these images (val)" in doubts
    assert "stage 2 was trained on what stage 1 predicts" in doubts


def test_the_figures_are_those_of_the_training(metrics, first, second):
    """At the best epoch: validation and evaluation are two ways to the same numbers."""
    best = min(
        (row for row in read(first.parent / "journal.jsonl") if "val/sam_deg" in row), key=lambda r: r["val/loss"]
    )
    own = metrics["stages"]["stage1"]["figures"]
    assert own["model"]["sam_deg"]["mean"] == pytest.approx(best["val/sam_deg"], rel=1e-4)
    assert own["model"]["rmse"]["mean"] == pytest.approx(best["val/rmse"], rel=1e-4)
    assert own["ridge"]["sam_deg"]["mean"] == pytest.approx(best["val/ridge_sam_deg"], rel=1e-4)
    assert own["ridge"]["rmse"]["mean"] == pytest.approx(best["val/ridge_rmse"], rel=1e-4)


def test_means_over_patches_are_those_of_the_table_and_of_the_last_lines_of_the_training(done, metrics, first, second):
    with (done / "per_patch.csv").open() as file:
        rows = list(csv.DictReader(file))
    for key, stage in metrics["stages"].items():
        means = stage["means"]["figures"]["model"]
        assert list(means) == ["mpsnr_db", "mean_psnr_db", "mean_sam_deg", "mean_rmse", "mean_mrae", "mean_ergas", "cc"]
        for name, row in means.items():
            each = [float(patch[f"{key}_{name}"]) for patch in rows]
            assert row["mean"] == pytest.approx(sum(each) / len(each), rel=1e-4), name
        assert stage["means"]["units"]["mpsnr_db"] == "dB" and stage["means"]["directions"]["cc"] == "higher"
    judged = json.loads((first.parent / "judged.json").read_text())["judged"]
    for name in ("mean_sam_deg", "mean_rmse"):
        own = metrics["stages"]["stage1"]["means"]["figures"]
        assert own["model"][name]["mean"] == pytest.approx(judged[name]["model"], rel=1e-4)
        assert own["ridge"][name]["mean"] == pytest.approx(judged[name]["ridge"], rel=1e-4)


def test_ratios_are_of_the_largest_true_value_or_of_the_one_that_is_named(metrics, flights, first, second, capsys):
    means = metrics["stages"]["stage1"]["means"]
    assert means["psnr_peak"] > 0 and "Means over patches, PSNR of the peak" in table(metrics)
    assert rsforge(f"{EVALUATE} --psnr-peak 500 --json", first, flights) == 0
    named = json.loads(capsys.readouterr().out)["stages"]["stage1"]["means"]
    shift = 20 * math.log10(500 / means["psnr_peak"])
    for name in ("mpsnr_db", "mean_psnr_db"):
        before, after = (one["figures"]["model"][name]["mean"] for one in (means, named))
        assert after == pytest.approx(before + shift, abs=1e-3)
    assert named["figures"]["model"]["cc"] == means["figures"]["model"]["cc"] and named["psnr_peak"] == 500


def test_published_means_are_comparable_where_the_protocol_is_the_same(metrics):
    stage = metrics["stages"]["stage1"]
    facts = {"patches": 50, "bands": 31, "scale": "1", "sensor": "RGB camera", "psnr_peak": 1.0}
    found = compare_published(
        "ntire-2022", "spectral", facts, stage["figures"]["model"] | stage["means"]["figures"]["model"]
    )
    assert set(found["comparable"]) == {"mrae", "rmse"} and set(found["not_comparable"]) == {"psnr_db"}
    facts = {"patches": 4, "bands": 128, "scale": "8", "input": "bicubic resampling of the truth by MATLAB"}
    figures = metrics["stages"]["stage2"]["means"]["figures"]["model"]
    found = compare_published("chikusei-x8", "spatial", facts | {"psnr_peak": 1.0}, figures)
    assert set(found["comparable"]) == {"mpsnr", "sam", "ergas"}
    assert not compare_published("chikusei-x8", "spatial", facts | {"psnr_peak": 0.9}, figures)["comparable"]


def test_means_that_a_patch_lacks_are_named(flights, first, tmp_path, capsys):
    shutil.copytree(flights, tmp_path / "flights")
    path = sorted((tmp_path / "flights").rglob("*.h5"))[0]
    edit(path, "aviris", (0, 3, 4, 4), 0.0)
    assert rsforge(f"{EVALUATE} --side all --json", first, tmp_path / "flights") == 0
    stage = json.loads(capsys.readouterr().out)["stages"]["stage1"]
    assert stage["means"]["figures"]["model"]["mean_mrae"]["mean"] is None
    assert stage["means"]["absent"]["mean_mrae"].startswith("a true value is 0, or a prediction no number, in 1 of ")
    assert list(stage["means"]["absent"]) == ["mean_mrae"] and stage["absent"] == {}


def test_every_stage_has_its_figures_and_baselines(metrics):
    stages = metrics["stages"]
    names = {"sam_deg", "rmse", "psnr_db", "ssim", "ergas", "mrae", "response_rmse"}
    baselines = {
        "stage1": ["ridge", "mean_spectrum", "nearest_endmember"],
        "stage2": ["bicubic", "corrected_bicubic"],
        "end_to_end": ["ridge_bicubic", "ridge_corrected_bicubic"],
    }
    assert {name: list(stage["baselines"]) for name, stage in stages.items()} == baselines
    for stage in stages.values():
        assert set(stage["figures"]["model"]) == names == set(stage["gain"])
        assert all(len(errors) == BANDS for errors in stage["rmse_per_band"].values())
        assert stage["units"]["rmse"] == "radiance" and stage["absent"] == {}
        for figure, gain in stage["gain"].items():
            sign = 1 if stage["directions"][figure] == "higher" else -1
            own, other = (stage["figures"][who][figure]["mean"] for who in ("model", gain["over"]))
            assert gain["mean"] == pytest.approx(sign * (own - other), abs=1e-3 * abs(own))


def test_the_report_is_one_file_with_pictures_and_curves_that_break(done, metrics):
    page = (done / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:|#)', page) and "<script" not in page
    assert page.count("data:image/png;base64,") == 3 * 3 * 5  # stages, patches, pictures
    assert page.count("<svg") == 3 * 4
    truth = re.findall(r'<polyline class="curve truth" points="([^"]+)"', page)
    assert [len(points.split()) for points in truth] == [7, 5] * 9
    for words in ("wavelength (nm)", "no interval can be had".capitalize(), "nearest endmember", "Both stages"):
        assert words in page, words
    assert f"{metrics['stages']['stage1']['figures']['model']['sam_deg']['mean']:.4g}" in page


def test_intervals_are_over_scenes_where_there_are_five(first, tmp_path, capsys):
    root = draw_flights(tmp_path, "pqrstu", 1)
    assert rsforge(f"{EVALUATE} --side all --json", first, root) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["interval"] == "95 % bootstrap over 6 scenes, 200 resamples" and found["groups"] == "6 scenes"
    gain = found["stages"]["stage1"]["gain"]["sam_deg"]
    assert gain["low"] <= gain["mean"] <= gain["high"]


def test_every_stage_is_judged_by_angle_and_error_and_the_exit_says_so(metrics, done, flights, first, second, capsys):
    verdicts = metrics["verdicts"]
    assert [verdict["figure"] for verdict in verdicts] == ["sam_deg", "rmse"] * 3
    for verdict, stage in zip(verdicts[::2], metrics["stages"].values(), strict=True):
        gain = stage["gain"]["sam_deg"]
        assert (verdict["over"], verdict["better"]) == (gain["over"], gain["mean"] > 0)
        assert verdict["sentence"].startswith(stage["title"][:1].upper() + stage["title"][1:])
    capsys.readouterr()
    code = rsforge(f"{BOTH} --fail-below-baseline", first, flights, second)
    said = capsys.readouterr()
    assert code == (0 if all(verdict["better"] for verdict in verdicts) else 5)
    assert said.out.rstrip().splitlines()[-1] == f"{verdicts[-1]['sentence']}."
    assert verdicts[-1]["sentence"] in (done / "report.html").read_text()


def test_people_read_a_table(flights, first, capsys):
    assert rsforge(EVALUATE + "--side train", first, flights) == 0
    told = capsys.readouterr().out
    assert "Stage 1: The spectrum of each pixel" in told and "ridge is the ridge regression" in told
    assert "6 of these 6 patches were trained on by stage 1" in told and "of the true spectra themselves is" in told


def test_a_dry_run_and_an_earlier_evaluation(done, flights, first, tmp_path, capsys):
    assert rsforge(f"{EVALUATE} --output-dir {{}} --dry-run --json", first, flights, tmp_path / "new") == 0
    assert json.loads(capsys.readouterr().out)["plan"]["patches"] == 3 and not (tmp_path / "new").exists()
    shutil.copytree(done, tmp_path / "old")
    assert rsforge(f"{EVALUATE} --output-dir {{}}", first, flights, tmp_path / "old") == 2
    assert "RSF-U004" in capsys.readouterr().err
    assert rsforge(f"{EVALUATE} --output-dir {{}} --overwrite", first, flights, tmp_path / "old") == 0
    assert list(json.loads((tmp_path / "old/metrics.json").read_text())["stages"]) == ["stage1"]


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ("--side test", 2, "RSF-U005"),
        ("--split nowhere.json", 3, "RSF-D012"),
        ("--stage2-checkpoint {first}", 4, "RSF-C004"),
        ("--data-dir {empty}", 3, "RSF-D001"),
        ("--data-dir {other}", 4, "RSF-C006"),
        ("--data-dir {shifted} --stage2-checkpoint {second}", 4, "RSF-C006"),
        ("--data-dir {negative} --side all", 3, "radiance cannot be negative"),
        ("--data-dir {dark} --side all", 3, "of the values of Landsat are negative"),
        ("--data-dir {invalid} --side all", 3, "none of the 1 patches has a valid pixel"),
        ("--data-dir {invalid} --side val", 3, "measure all patches by --side all"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(flights, first, second, tmp_path, capsys, more, code, words):
    write_plain(tmp_path / "other" / "x.h5", 2, bands=9, landsat=3)
    shifted = draw_flights(tmp_path / "shifted", "a", 1)
    with h5py.File(shifted / "a/test_patches.h5", "r+") as file:
        file.attrs["wavelengths"] = file.attrs["wavelengths"] + 90
    for name, array, value in (("negative", "aviris", -1), ("dark", "landsat", -1), ("invalid", "valid", 0)):
        edit(draw_flights(tmp_path / name, "a", 1) / "a/test_patches.h5", array, (0, ...), value)
    names = ("empty", "other", "shifted", "negative", "dark", "invalid")
    places = {name: tmp_path / name for name in names} | {"first": first, "second": second}
    assert rsforge(EVALUATE + more.format(**places) + " --output-dir {}", first, flights, tmp_path / "out") == code
    assert words in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_files_without_wavelengths_are_measured_by_band(tmp_path, capsys):
    write_plain(tmp_path / "set/x.h5", 2, size=24)
    assert rsforge(f"{TRAIN} --val-fraction 0 --epochs 1", tmp_path / "set", tmp_path / "run") == 0
    line = f"{EVALUATE} --output-dir {{}}"
    assert rsforge(line, tmp_path / "run/best_model.pth", tmp_path / "set", tmp_path / "out") == 0
    found = json.loads((tmp_path / "out/metrics.json").read_text())
    assert found["wavelength_nm"] is None and found["side"] == "all" and found["trained_on"] == {"stage1": 2}
    assert found["stages"]["stage1"]["absent"] == {"response_rmse": "the files state no wavelengths"}
    page = (tmp_path / "out/report.html").read_text()
    assert ">band</text>" in page and "wavelength (nm)" not in page
    assert "the model was trained on 2 of these 2 patches" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "stage", "said"),
    [
        ("ntire-2022", "stage1", "sensor landsat8 here, RGB camera there"),
        (
            "chikusei-x8",
            "stage2",
            "input area means of the truth here, bicubic resampling of the truth by MATLAB there",
        ),
        ("sar2opt", "stage1", "spectral here, sar-to-optical there"),
    ],
)
def test_published_figures_stand_beside_the_stage_that_they_are_of(metrics, name, stage, said):
    result = {**metrics, "stages": {key: dict(one) for key, one in metrics["stages"].items()}}
    add_published(name, result)
    assert [key for key, one in result["stages"].items() if "published" in one] == [stage]
    found = result["stages"][stage]["published"]
    assert any(reason.startswith(said) for reason in found["protocol"]) and not found["comparable"]
    assert f"The protocol differs: {said}" in table(result)


def test_a_report_shows_published_figures(flights, first, tmp_path, capsys):
    line = f"{EVALUATE} --compare-published ntire-2022 --output-dir {{}}"
    assert rsforge(line, first, flights, tmp_path / "out") == 0
    assert "Published figures ntire-2022" in capsys.readouterr().out
    assert "MST++" in (tmp_path / "out/report.html").read_text()
    found = json.loads((tmp_path / "out/metrics.json").read_text())["stages"]["stage1"]
    assert found["published"]["not_comparable"]["mrae"] and "MPSNR" in found["definitions"]["psnr_db"]
