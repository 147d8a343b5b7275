"""``diffusion finetune``: what a run writes and changes, its exact resume, and the parameters of its document."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from rsforge.cli.main import run
from rsforge.engine import checkpoint, precision
from rsforge.engine.cadence import Moment
from rsforge.engine.journal import read
from rsforge.models.adapter import make_adapter
from rsforge.models.pretrained.read_adapter import read_adapter
from rsforge.models.pretrained.write_adapter import KOHYA_FILE
from rsforge.models.pretrained.write_folder import list_files
from rsforge.recipes.inference import broken_images
from rsforge.recipes.pretrained.load import load_pretrained
from rsforge.recipes.pretrained.save import save_folder
from rsforge.recipes.text_to_image import validation_images
from rsforge.recipes.text_to_image.load import load_model
from rsforge.recipes.text_to_image.output_names import ADAPTER_FILES
from rsforge.settings.base import RunSettings
from rsforge.settings.finetune import CaptionedImageSettings, FinetuneSettings, ValidationImageSettings
from tests.worlds.captioned_folder import LINE, LORA, SCRATCH
from tests.worlds.commands import rsforge
from tests.worlds.stable_diffusion import copy_folder, draw_theirs, edit_json, load_pipeline

PLANNED = "rsforge.recipes.training.plan.estimate_step"
NO_CACHES = "--no-latent-cache --no-text-cache --no-center-crop --random-flip "


def weights_of(network) -> str:
    return checkpoint.digest_weights(network.state_dict())


def test_a_run_leaves_checkpoints_pictures_and_a_model_in_its_folder(text_world):
    names = {path.name for path in text_world.run.iterdir()}
    steps = {f"checkpoint-{step}.pt" for step in range(1, 7)}
    assert names >= {"best_model.pt", "latest_model.pt", "journal.jsonl", "samples", "model_index.json", *steps}
    assert all((text_world.run / name).is_file() for name in list_files())
    assert (text_world.run / "samples" / "epoch_2.png").is_file()


def test_a_closed_form_that_reads_captions_stands_beside_the_loss_and_judges_it(text_world):
    rows = [row for row in read(text_world.run / "journal.jsonl") if "val/loss" in row]
    assert len({row["val/caption_gaussian"] for row in rows}) == 1  # it learns nothing
    assert rows[0]["val/caption_gaussian"] != rows[0]["val/gaussian"]
    judged = json.loads((text_world.run / "judged.json").read_text())["judged"]["loss"]
    assert judged["caption_gaussian"] > 0 and judged.keys() >= {"model", "gaussian", "scale_mixture"}


def test_the_u_net_alone_has_changed(text_world):
    before, after = load_pretrained(text_world.model), load_pretrained(text_world.run)
    assert weights_of(before.unet) != weights_of(after.unet)
    assert weights_of(before.autoencoder) == weights_of(after.autoencoder)
    assert weights_of(before.text_encoder) == weights_of(after.text_encoder)
    assert after.tokenizer.vocabulary == before.tokenizer.vocabulary and after.image_size == 16


def test_the_folder_has_the_averaged_weights_of_the_best_checkpoint(text_world):
    state = checkpoint.load(text_world.run / "best_model.pt")
    assert set(state["nets"]) == {"denoiser"}  # what is frozen is not saved
    shadow = state["parts"]["ema"]["shadow"]
    name, live = next(iter(state["nets"]["denoiser"].items()))
    written = load_pretrained(text_world.run).unet.state_dict()[name]
    assert torch.equal(written, shadow[f"denoiser.{name}"]) and not torch.equal(written, live)


@pytest.mark.parametrize(("extra", "steps"), [("", (1, 5)), (NO_CACHES, (2,))], ids=["stored", "encoded anew"])
def test_a_run_resumed_at_any_step_is_one_never_interrupted(text_world, tmp_path, extra, steps):
    straight, run_line = text_world.run, LINE + extra
    if extra:  # into the second epoch, of other crops
        straight, run_line = tmp_path / "straight", run_line.replace("--max-train-steps 6", "--max-train-steps 4")
        assert rsforge(run_line, text_world.model, text_world.images, straight) == 0
    for step in steps:
        again = tmp_path / f"from {step}"
        again.mkdir()
        for name in (f"checkpoint-{step}.pt", "journal.jsonl"):
            shutil.copy(straight / name, again)
        assert rsforge(run_line + "--resume", text_world.model, text_world.images, again) == 0
        for name in ("latest_model.pt", "best_model.pt"):
            states = [checkpoint.load(place / name) for place in (straight, again)]
            digests = [checkpoint.digest_weights({key: s[key] for key in ("nets", "parts")}) for s in states]
            assert digests[0] == digests[1], (step, name)
        for name in ("journal.jsonl", *list_files()):
            assert (straight / name).read_bytes() == (again / name).read_bytes(), (step, name)


def test_adapters_alone_are_trained_averaged_and_saved(text_world, adapted_run):
    state = checkpoint.load(adapted_run / "best_model.pt")
    assert set(state["nets"]) == {"adapter"} == set(state["architecture"])
    assert {name.split(".")[0] for name in state["parts"]["ema"]["shadow"]} == {"adapter"}
    learnt = sum(value.numel() for value in state["nets"]["adapter"].values())
    optimizer = state["parts"]["optimizer/denoiser"]["state"].values()
    assert learnt == sum(one["exp_avg"].numel() for one in optimizer) == 1024
    whole = load_pretrained(text_world.model).unet
    assert learnt < sum(p.numel() for p in whole.parameters()) / 10
    assert not (adapted_run / "model_index.json").exists()


def test_adapters_are_written_with_their_averaged_weights(text_world, adapted_run):
    state, model = checkpoint.load(adapted_run / "best_model.pt"), load_pretrained(text_world.model)
    networks = {"unet": model.unet, "text_encoder": model.text_encoder}
    written = make_adapter(model.unet, rank=2, alpha=4.0)
    written.load_updates(read_adapter(adapted_run / KOHYA_FILE, networks)["unet"])
    for name, value in written.state_dict().items():
        assert torch.equal(value, state["parts"]["ema"]["shadow"][f"adapter.{name}"])
        assert not torch.equal(value, state["nets"]["adapter"][name])


def test_a_run_of_adapters_resumed_is_one_never_interrupted(text_world, adapted_run, tmp_path):
    again = tmp_path / "again"
    again.mkdir()
    for name in ("checkpoint-2.pt", "journal.jsonl"):
        shutil.copy(adapted_run / name, again)
    assert rsforge(LORA + "--resume", text_world.model, text_world.images, again) == 0
    for name in ("latest_model.pt", "best_model.pt"):
        states = [checkpoint.load(place / name) for place in (adapted_run, again)]
        digests = [checkpoint.digest_weights({key: s[key] for key in ("nets", "parts")}) for s in states]
        assert digests[0] == digests[1], name
    written = ["journal.jsonl", *ADAPTER_FILES, *(f"adapters/checkpoint-{step}.safetensors" for step in (2, 4, 6))]
    for name in written:
        assert (adapted_run / name).read_bytes() == (again / name).read_bytes(), name


def test_a_run_of_adapters_goes_on_beside_the_same_model_alone(text_world, adapted_run, tmp_path, capsys):
    model = load_pretrained(text_world.model)
    with torch.no_grad():
        model.unet.conv_in.bias += 1
    save_folder(model, tmp_path / "other")
    again = shutil.copytree(adapted_run, tmp_path / "again")
    line = LORA.replace("--max-train-steps 6", "--max-train-steps 7") + "--resume"
    assert rsforge(line, tmp_path / "other", text_world.images, again) == 4
    assert "RSF-C006" in capsys.readouterr().err
    line = LORA.replace("--lora-alpha 4", "--lora-alpha 3") + "--resume"
    assert rsforge(line, text_world.model, text_world.images, again) == 4
    assert "--lora-alpha was 4" in capsys.readouterr().err


def test_validation_images_are_drawn_with_the_adapters(text_world, adapted_run, tmp_path):
    pixels = {"written": np.asarray(Image.open(adapted_run / "samples" / "epoch_2.png")).astype(int)}
    shown = ValidationImageSettings(validation_prompt="trees", validation_images=1, validation_steps=2)
    models = {"trained": load_model(adapted_run / "latest_model.pt"), "before": load_pretrained(text_world.model)}
    for name, model in models.items():
        run_settings = RunSettings(output_dir=tmp_path / name)
        (run_settings.output_dir / "samples").mkdir(parents=True)
        settings = FinetuneSettings(run=run_settings, data=CaptionedImageSettings(data_dir="x"), shown=shown)
        validation_images.preview(settings, model, Moment(2))
        pixels[name] = np.asarray(Image.open(tmp_path / name / "samples" / "epoch_2.png")).astype(int)
    far = {name: np.abs(pixels["written"] - pixels[name]).max() for name in models}
    assert far["trained"] <= 1 < far["before"]


def test_a_plan_of_adapters_says_what_is_trained_and_how_much_memory_it_takes(
    memory_plan, text_world, tmp_path, capsys
):
    line = LORA.replace("--lr 0.05", "").replace("--lr 1e-3", "").replace("--quiet", "--dry-run --json --batch-size 1")
    assert rsforge(line, text_world.model, text_world.images, tmp_path / "run") == 0
    ran = capsys.readouterr()
    plan, model = json.loads(ran.out)["plan"], load_pretrained(text_world.model)
    networks = (model.unet, model.autoencoder, model.text_encoder)
    frozen = sum(p.numel() for network in networks for p in network.parameters())
    assert (plan["parameters"], plan["frozen_parameters"]) == (1024, frozen)
    assert frozen * 4 / 2**20 < plan["step_memory_mib"] < 2.5 * frozen * 4 / 2**20
    assert "adapters take about 0.0001" in ran.err


def test_a_run_that_goes_on_deletes_what_a_kill_left_of_older_checkpoints(text_world, tmp_path):
    again = shutil.copytree(text_world.run, tmp_path / "again")
    assert rsforge(LINE + "--keep-checkpoints 2 --resume", text_world.model, text_world.images, again) == 0
    assert sorted(path.name for path in again.glob("checkpoint-*.pt")) == ["checkpoint-5.pt", "checkpoint-6.pt"]


def test_captions_are_drawn_anew_in_each_epoch_and_stored_vectors_change_nothing(text_world, tmp_path):
    assert rsforge(LINE + "--no-text-cache", text_world.model, text_world.images, tmp_path / "run") == 0
    rows = [read(path / "journal.jsonl") for path in (text_world.run, tmp_path / "run")]
    losses = [[row["loss"] for row in one if "loss" in row] for one in rows]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert len(list((text_world.run / "latent_cache").glob("*.npy"))) == 3
    assert len(list((tmp_path / "run" / "latent_cache").glob("*.npy"))) == 2


def test_the_environment_of_the_document_names_model_images_and_output(text_world, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(PLANNED, lambda *given, **named: 0)
    monkeypatch.setenv("MODEL_NAME", str(text_world.model))
    monkeypatch.setenv("DATA_DIR", str(text_world.images))
    monkeypatch.setenv("OUTPUT_DIR", str(tmp_path / "RemoteDiff"))
    assert run(["diffusion", "finetune", "--resolution=16", "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["plan"]["output_dir"] == str(tmp_path / "RemoteDiff") and told["plan"]["training_images"] == 9
    assert told["plan"]["steps"] == 3500 and not (tmp_path / "RemoteDiff").exists()


def test_the_defaults_are_those_of_the_document():
    settings = FinetuneSettings(data=CaptionedImageSettings(data_dir="x"))
    loop, optim = settings.loop, settings.optim
    assert settings.data.image_size == 512 and loop.batch_size == 1 and loop.grad_accum == 4
    assert settings.shown.validation_prompt == "A satellite image of a crop field"
    assert (optim.learning_rate, optim.lr_scheduler, optim.lr_warmup_steps) == (1e-6, "constant", 0)
    assert (loop.max_train_steps, loop.max_grad_norm, loop.mixed_precision) == (3500, 1.0, "fp16")
    assert (loop.save_every_steps, loop.sample_every) == (500, 10)
    assert settings.denoiser.gradient_checkpointing and settings.average.ema


def test_the_flags_of_the_document_are_understood(text_world, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(PLANNED, lambda *given, **named: 0)
    line = (
        "diffusion finetune --pretrained_model_name_or_path={} --train_data_dir={} --output_dir={} --use_ema "
        "--resolution=16 --center_crop --random_flip --train_batch_size=2 --gradient_accumulation_steps=2 "
        "--gradient_checkpointing --max_train_steps=7 --learning_rate=1e-05 --max_grad_norm=1 --snr_gamma=5 "
        "--lr_scheduler=constant --lr_warmup_steps=0 --checkpointing_steps=5 --validation_prompts=field "
        "--validation_epochs=2 --noise_offset=0.05 --mixed_precision=fp16 --report_to=tensorboard --dry_run --json"
    )
    words = [w.replace("{}", str(p)) for w, p in zip(line.split()[2:5], (*text_world[:2], tmp_path), strict=True)]
    assert run(["diffusion", "finetune", *words, *line.split()[5:]]) == 0
    told = json.loads(capsys.readouterr().out)
    settings = told["settings"]
    assert told["plan"]["steps"] == 7 and settings["data"]["random_flip"] is True
    assert settings["denoiser"]["min_snr_gamma"] == 5 and settings["denoiser"]["noise_offset"] == 0.05
    assert settings["loop"]["sample_every"] == 2 and settings["loop"]["save_every_steps"] == 5


def test_epochs_take_the_place_of_the_steps_of_the_document(text_world, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(PLANNED, lambda *given, **named: 0)
    line = LINE.replace("--max-train-steps 6", "--epochs 5") + "--dry-run --json --no-use-ema"
    assert rsforge(line, text_world.model, text_world.images, tmp_path / "run") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["plan"]["steps"] == 15 and told["settings"]["average"]["ema"] is False


@pytest.mark.parametrize(("extra", "option"), [
    ("--no-center-crop", "--no-center-crop"), ("--copy-partners", "--copy-partners"),
    ("--lora-alpha 3", "--lora-alpha"), ("--lora-rank 2 --compile", "--compile"),
])  # fmt: skip
def test_what_does_not_fit_together_is_refused(text_world, tmp_path, capsys, extra, option):
    assert rsforge(LINE + extra, text_world.model, text_world.images, tmp_path / "run") == 2
    told = capsys.readouterr().err
    assert "RSF-U005" in told and option in told and not (tmp_path / "run").exists()


def test_adapters_need_a_model_that_they_are_trained_beside(text_world, tmp_path, capsys):
    line = SCRATCH.replace("--quiet", "--lora-rank 4")
    assert rsforge(line, text_world.images, tmp_path / "run") == 2
    told = capsys.readouterr().err
    assert "beside a pretrained model" in told and "--pretrained-model" in told and not (tmp_path / "run").exists()


def test_a_run_from_scratch_does_not_go_on_from_a_pretrained_model(text_world, scratch_run, tmp_path, capsys):
    run = shutil.copytree(scratch_run, tmp_path / "run")
    assert rsforge("diffusion finetune --resume --output-dir {} --pretrained-model {}", run, text_world.model) == 4
    told = capsys.readouterr().err
    assert "RSF-C008" in told and "--pretrained-model was None" in told


def test_the_pretrained_model_is_not_written_over(text_world, tmp_path, capsys):
    model = shutil.copytree(text_world.model, tmp_path / "RemoteDiff")
    assert rsforge(LINE + "--overwrite", model, text_world.images, model) == 2
    assert "is the output folder" in capsys.readouterr().err and load_pretrained(model)


def test_half_precision_without_the_hardware_is_said_and_not_taken(text_world, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(precision, "cpu_has", lambda name: False)
    line = LINE.replace("--mixed-precision no", "--mixed-precision fp16").replace("--quiet", "")
    line = line.replace("--max-train-steps 6", "--max-train-steps 1")
    assert rsforge(line, text_world.model, text_world.images, tmp_path / "run") == 0
    assert "no fp16 arithmetic: training in fp32" in capsys.readouterr().err


def test_a_broken_validation_image_ends_the_run(text_world, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(broken_images, "FLAT", 9.0)
    line = LINE.replace("--max-train-steps 6", "--max-train-steps 1")
    assert rsforge(line, text_world.model, text_world.images, tmp_path / "run") == 5
    told = capsys.readouterr().err
    assert "RSF-T004" in told and "one colour everywhere" in told
    assert not (tmp_path / "run" / "model_index.json").exists()


def test_the_scheduler_of_the_folder_decides_what_is_learnt(text_world, tmp_path):
    model = shutil.copytree(text_world.model, tmp_path / "sd")
    edit_json(model / "scheduler" / "scheduler_config.json", prediction_type="v_prediction", beta_end=0.02,
              rescale_betas_zero_snr=True, timestep_spacing="trailing")  # fmt: skip
    line = LINE.replace("--max-train-steps 6", "--max-train-steps 1")
    assert rsforge(line, model, text_world.images, tmp_path / "run") == 0
    state = checkpoint.load(tmp_path / "run" / "latest_model.pt")
    assert state["prediction"] == "v" and state["schedule"]["zero_terminal_snr"] is True
    assert state["schedule"]["beta_end"] == 0.02
    assert load_pretrained(tmp_path / "run").schedule == load_pretrained(model).schedule


@pytest.mark.parametrize("family", ["1.x", "2.x"])
def test_what_comes_out_is_drawn_by_the_library_as_here(family, text_world, tmp_path):
    pytest.importorskip("diffusers")
    pytest.importorskip("transformers")
    model = copy_folder(family, tmp_path / "sd")
    line = LINE.replace("--max-train-steps 6", "--max-train-steps 20").replace("--save-every-steps 1", "")
    line += "--validate-every 99 --sample-every 99 --batch-size 1 --no-gradient-checkpointing"
    assert rsforge(line, model, text_world.images, tmp_path / "run") == 0
    after = load_pretrained(tmp_path / "run")
    assert weights_of(after.unet) != weights_of(load_pretrained(model).unet)
    pipeline, noise = after.pipeline(), torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    theirs = draw_theirs(load_pipeline(tmp_path / "run"), noise, ["a river"], steps=3, guidance_scale=3.0)
    from rsforge.recipes.diffusion import pipeline as drawing

    class Given:
        def __init__(self, seed, indices): ...

        def draw(self, like):
            return noise.clone()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "SeededNoise", Given)
        ours = pipeline.draw([0], pipeline.walk("ddim", 3), seed=0, guide=after.guide(["a river"], 3.0))
    assert (ours - theirs).abs().max() < 1e-3 and theirs.std() > 0.01


def test_the_command_that_follows_draws_from_the_folder(text_world, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = "sample --pipeline {} --prompt trees --num-inference-steps 2 --seed 3 --output {}"
    assert rsforge(line, text_world.run, "folder.png") == 0
    line = line.replace("--pipeline", "--model-checkpoint")
    assert rsforge(line, text_world.run / "best_model.pt", "file.png") == 0
    assert (tmp_path / "folder.png").read_bytes() == (tmp_path / "file.png").read_bytes()
