"""``diffusion evaluate-unconditional`` on a small trained model: figures again by hand, verdicts, files, refusals."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace

import pytest
import torch

from rsforge.data.images.tile_dataset import TileDataset, scan
from rsforge.engine import checkpoint
from rsforge.metrics.mean_discrepancy import compare_discrepancies, mean_discrepancy
from rsforge.models.vgg import load_vgg16
from rsforge.noise.gaussian_denoiser import GaussianDenoiser
from rsforge.recipes.diffusion.load import open_model
from rsforge.recipes.evaluation.table import table
from rsforge.recipes.unconditional_evaluation.closed_forms import draw_latents
from tests.worlds.commands import DIFFUSION, rsforge
from tests.worlds.evaluation import Crumbs
from tests.worlds.vgg16 import write_vgg16

CPU = torch.device("cpu")
FORMS = ["gaussian", "scale_mixture", "standard_normal"]
LOSSES = ["loss", "loss_q1", "loss_q2", "loss_q3", "loss_q4"]
LINE = (
    "diffusion evaluate-unconditional --diffusion-checkpoint {} --data-dir {} --device cpu --num-images 6 "
    "--num-inference-steps 4 --resamples 100 --batch-size 4 "
)


@pytest.fixture(autouse=True)
def empty_hub(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))


@pytest.fixture(scope="module")
def vgg16(tmp_path_factory):
    return write_vgg16(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def measured(job, capsys):
    def run(more="", *paths, code=0, model=None, data=None):
        capsys.readouterr()
        model = model or job.diffusion / "best_model.pt"
        assert rsforge(f"{LINE}{more} --json", model, data or job.tiles, *paths) == code
        out, err = capsys.readouterr()
        return json.loads(out or err.splitlines()[-1])

    return run


def read_images(folder):
    samples = TileDataset(scan(folder).tiles, image_size=16, seed=0, flip=0.0)
    return torch.stack([samples[0, k] for k in range(len(samples))])


def test_the_last_lines_of_a_training_are_measured_again_to_the_bit(job, measured):
    told, judged = measured(), json.loads((job.diffusion / "judged.json").read_text())["judged"]
    assert (told["side"], told["images"], told["trained_on"]) == ("val", judged["images"], 0)
    assert told["validation_draws"] == 8 and list(told["figures"]) == ["model", *FORMS]
    for name in LOSSES:
        assert {who: told["figures"][who][name]["mean"] for who in told["figures"]} == {
            who: judged[name][who] for who in told["figures"]
        }
    assert [verdict["figure"] for verdict in told["verdicts"]] == LOSSES
    assert any("chosen on these images (val)" in doubt for doubt in told["doubts"])


def test_losses_are_those_of_the_network_and_of_the_stored_closed_forms(job, measured):
    told = measured("--side all --validation-draws 512")
    assert told["images"] == 30 and "27 of these 30 images were trained on" in told["doubts"]
    model = open_model(job.diffusion / "best_model.pt", None, CPU, averaged=True)
    pipe, stored = model.pipeline, model.loaded.state["baselines"]
    gaussian = GaussianDenoiser(**stored["gaussian"])
    forms = {"gaussian": gaussian, "scale_mixture": replace(gaussian, **stored["scale_mixture"])}
    torch.manual_seed(5)
    mu, logvar = pipe.autoencoder.encode(read_images(job.tiles).repeat(40, 1, 1, 1))
    errors = {name: [] for name in ("model", *forms)}
    for t in range(len(pipe.alphas_cumprod)):
        x_0 = (mu + (logvar / 2).exp() * torch.randn_like(mu) - pipe.mean) / pipe.std
        eps, signal = torch.randn_like(x_0), pipe.alphas_cumprod[t].float()
        x_t = signal.sqrt() * x_0 + (1 - signal).sqrt() * eps
        with torch.no_grad():
            errors["model"].append((pipe.denoiser(x_t, torch.full((len(x_t),), t)) - eps).square().mean())
        for name, form in forms.items():
            errors[name].append((form(x_t, signal.expand(len(x_t)))[1] - eps).square().mean())
    for name, own in errors.items():
        assert told["figures"][name]["loss"]["mean"] == pytest.approx(float(torch.stack(own).mean()), rel=0.05)
        last = float(torch.stack(own[-10:]).mean())
        assert told["figures"][name]["loss_q4"]["mean"] == pytest.approx(last, rel=0.05)


def test_distances_are_those_of_samples_and_decoded_noise_to_images_and_reconstructions(job, measured, vgg16):
    told = measured("--side all --seed 9 --vgg-weights {}", vgg16)
    pipe, network = open_model(job.diffusion / "best_model.pt", None, CPU, averaged=True).pipeline, load_vgg16(vgg16)
    images = read_images(job.tiles)
    drawn = pipe.draw(range(6), pipe.walk("ddim", 4), seed=9)
    noise = pipe.decode(draw_latents({}, pipe, 6, 9)["standard_normal"])
    with torch.no_grad():
        again = pipe.autoencoder.decode(pipe.autoencoder.encode(images)[0]).clamp(-1, 1)
        rows = {name: network(x).mean((2, 3)) for name, x in zip("xynr", (images, drawn, noise, again), strict=True)}
    for figure, target in (("kernel_distance", "x"), ("kernel_distance_to_reconstructions", "r")):
        ours, others = mean_discrepancy(rows["y"], rows[target]), mean_discrepancy(rows["n"], rows[target])
        row = told["figures"]["model"][figure]
        assert row["mean"] == pytest.approx(ours.value, rel=1e-3)
        assert row["high"] - row["mean"] == pytest.approx(1.95996 * ours.error, rel=1e-3)
        assert told["figures"]["standard_normal"][figure]["mean"] == pytest.approx(others.value, rel=1e-3)
        nearest = min(FORMS, key=lambda name: told["figures"][name][figure]["mean"])
        gain = told["gain"][figure]
        assert gain["over"] == nearest and gain["mean"] == pytest.approx(
            told["figures"][nearest][figure]["mean"] - row["mean"], abs=1e-3 * abs(row["mean"])
        )
        if nearest == "standard_normal":
            assert gain["high"] - gain["mean"] == pytest.approx(1.96 * compare_discrepancies(ours, others)[1], rel=1e-2)
    verdicts = [verdict["figure"] for verdict in told["verdicts"]]
    assert verdicts == [*LOSSES, "kernel_distance", "kernel_distance_to_reconstructions"]
    lost = mean_discrepancy(rows["r"], rows["x"], paired=True)
    ends = [f"{lost.value + sign * 1.95996 * lost.error:.4g}" for sign in (-1, 1)]
    assert f"kernel distance of {lost.value:.4g} [{ends[0]}, {ends[1]}] from them" in table(told)
    wide = measured("--side all --seed 9 --confidence 0.99 --vgg-weights {}", vgg16)["figures"]["model"]
    assert wide["kernel_distance"]["high"] > told["figures"]["model"]["kernel_distance"]["high"]


def test_without_weights_distances_are_null_and_the_reason_is_said(measured):
    told = measured()
    assert told["figures"]["model"]["kernel_distance"] is None and told["figures"]["gaussian"]["fid"] is None
    assert "--vgg-weights" in told["absent"]["kernel_distance"] and "fid and kid" in told["absent"]


def test_three_images_and_three_samples_are_the_least_for_distances(measured, job, tmp_path, vgg16):
    assert measured("--num-images 2", code=2)["code"] == "RSF-U001"
    for place in sorted(job.tiles.rglob("*.png"))[:2]:
        shutil.copy(place, tmp_path)
    told = measured("--side all --vgg-weights {}", vgg16, data=tmp_path)
    assert told["images"] == 2 and told["figures"]["model"]["kernel_distance"] is None
    assert told["absent"]["kernel_distance"] == "3 images without gaps are the least"
    assert "--inception-weights" in told["absent"]["fid and kid"]
    assert "3 images without gaps are the least for distances: losses alone judge the model" in told["doubts"]


def test_weights_that_cannot_be_used_are_named_with_their_option(measured, tmp_path):
    (tmp_path / "vgg.pth").write_bytes(b"PK none")
    told = measured("--vgg-weights {}", tmp_path / "vgg.pth", code=4)
    assert "--vgg-weights" in told["fix"] and "train" not in told["fix"]


def test_pictures_are_no_images_of_the_next_evaluation(measured, job, tmp_path):
    shutil.copytree(job.tiles, tmp_path / "tiles")
    told = measured("--output-dir {}", tmp_path / "tiles/ev", data=tmp_path / "tiles", code=2)
    assert told["code"] == "RSF-U005" and not (tmp_path / "tiles/ev").exists()


def test_intervals_of_distances_leave_out_whole_scenes(measured, job, tmp_path, vgg16):
    """Ten images in five scenes, two in each."""
    tiles = sorted(job.tiles.rglob("*.png"))[:10]
    for number, place in enumerate(tiles):
        shutil.copy(place, tmp_path / f"{number}.png")
    names = [f"{number}.png" for number in range(10)]
    alone = measured("--side all --split none --vgg-weights {}", vgg16, data=tmp_path)
    scenes = {name: f"scene {number // 2}" for number, name in enumerate(names)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rsforge.recipes.datasets.stored_split.find_scenes", lambda root: scenes)
        together = measured("--side all --split none --vgg-weights {}", vgg16, data=tmp_path)
    assert "5 scenes" in together["interval"] and "10 scenes" in alone["interval"]
    one, other = (told["figures"]["model"]["kernel_distance"] for told in (alone, together))
    assert one["mean"] == other["mean"] and one["high"] != other["high"]


def test_images_that_the_autoencoder_was_trained_on_are_named(job, measured, tmp_path):
    """The denoiser divides anew, so that images that judge it lie on the training side of its autoencoder."""
    line = "diffusion train --vae {} --image-dir {} --output-dir {} --epochs 1 --seed 5 --test-fraction 0 " + DIFFUSION
    assert rsforge(line, job.vae / "best_model.pt", job.tiles, tmp_path / "own") == 0
    judged = json.loads((tmp_path / "own/judged.json").read_text())
    doubt = "the autoencoder divided its images otherwise, and may have been trained on these"
    assert judged["judged"]["doubt"] == doubt and judged["verdict"].endswith(f"Mind: {doubt}.")
    told = measured(model=tmp_path / "own/best_model.pt")
    assert f"of these {told['images']} images were trained on by the autoencoder" in " ".join(told["doubts"])
    assert "doubt" not in json.loads((job.diffusion / "judged.json").read_text())["judged"]


def test_fid_and_kid_are_of_samples_and_of_decoded_noise(job, measured, monkeypatch):
    where = "rsforge.recipes.unconditional_evaluation.evaluate.load_inception"
    monkeypatch.setattr(where, lambda path, device: (Crumbs(), {}))
    told = measured("--side all")
    assert all(told["figures"][name]["fid"] is not None for name in ("model", *FORMS))
    assert "6 images" in told["fid_warning"]


def test_the_exit_says_where_a_closed_form_is_better(job, capsys):
    line = f"{LINE}--fail-below-baseline --json"
    assert rsforge(line, job.diffusion / "best_model.pt", job.tiles) == 5
    said = capsys.readouterr()
    error, told = json.loads(said.err.splitlines()[-1]), json.loads(said.out)
    assert error["code"] == "RSF-T005" and "not better than" in error["message"]
    assert not all(verdict["better"] for verdict in told["verdicts"])


def test_a_checkpoint_without_closed_forms_has_decoded_noise_alone(measured, job, tmp_path):
    state = checkpoint.load(job.diffusion / "best_model.pt")
    del state["baselines"]
    checkpoint.save(tmp_path / "old.pt", state)
    old = measured("--vae {}", job.vae / "best_model.pt", model=tmp_path / "old.pt")
    assert list(old["figures"]) == ["model", "standard_normal"] and "--no-latent-cache" in old["absent"]["gaussian"]


def test_closed_forms_that_do_not_fit_are_refused(measured, job, tmp_path):
    state = checkpoint.load(job.diffusion / "best_model.pt")
    state["baselines"]["gaussian"]["basis"] = torch.eye(3)
    checkpoint.save(tmp_path / "odd.pt", state)
    told = measured("--vae {}", job.vae / "best_model.pt", model=tmp_path / "odd.pt", code=4)
    assert told["code"] == "RSF-C003" and "closed forms" in told["message"]


def test_files_are_written_whole_and_not_twice(measured, tmp_path, vgg16):
    out = tmp_path / "evaluation"
    told = measured("--output-dir {} --vgg-weights {}", out, vgg16)
    assert sorted(path.name for path in out.iterdir() if path.suffix) == [
        "evaluation.json", "examples.png", "per_image.csv", "samples.png",
    ]  # fmt: skip
    assert json.loads((out / "evaluation.json").read_text()) == told
    rows = list(csv.DictReader((out / "per_image.csv").read_text().splitlines()))
    assert [float(row["loss"]) for row in rows] and len(rows) == told["images"]
    (out / "evaluation.json").unlink()
    assert "samples.png" in measured("--output-dir {}", out, code=2)["found"]
    assert measured("--output-dir {} --overwrite --vgg-weights {}", out, vgg16)["figures"] == told["figures"]


def test_a_dry_run_measures_nothing(measured, tmp_path):
    told = measured("--dry-run --output-dir {}", tmp_path / "out")["plan"]
    assert "figures" not in told and not (tmp_path / "out").exists()
    assert (told["sampler"], told["steps"], told["samples"]) == ("ddim", 4, 6)


def test_steps_that_the_schedule_lacks_and_images_that_are_not_finite(measured, job, tmp_path):
    assert measured("--num-inference-steps 41", code=2)["where"] == "--ddim-steps"
    state = checkpoint.load(job.diffusion / "best_model.pt")
    del state["parts"]["ema"]
    weights = state["nets"]["denoiser"]
    weights |= {name: torch.full_like(value, 1e38) for name, value in weights.items() if name.endswith("weight")}
    checkpoint.save(tmp_path / "broken.pt", state)
    told = measured("--vae {}", job.vae / "best_model.pt", model=tmp_path / "broken.pt", code=5)
    assert told["code"] == "RSF-T004"


def test_evaluations_of_models_name_each_other(job, sar_world, text_world, capsys):
    ours, of_sar, of_text = (folder / "best_model.pt" for folder in (job.diffusion, sar_world.model, text_world.run))
    named = {
        ("--model-checkpoint", ours): f"rsforge diffusion evaluate-unconditional --diffusion-checkpoint '{ours}'",
        ("--checkpoint", of_sar): f"rsforge diffusion evaluate --model-checkpoint '{of_sar}'",
        ("--checkpoint", of_text): f"rsforge diffusion evaluate --pipeline '{of_text}'",
        ("--model-checkpoint", of_text): f"rsforge diffusion evaluate --pipeline '{of_text}'",
    }
    for (option, model), line in named.items():
        assert rsforge(f"diffusion evaluate {option} {{}} --data-dir {{}}", model, job.tiles) == 4
        assert line in capsys.readouterr().err
