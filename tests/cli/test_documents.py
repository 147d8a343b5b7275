"""Every command line of the source documents, as it is written there, by dry run on drawn data."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import h5py
import pytest

from rsforge.cli.argv import locate
from rsforge.cli.main import run
from rsforge.cli.tree import COMMANDS, common_options
from tests.worlds.coming import CLIP_CONFIG, MODEL_CONFIG
from tests.worlds.document_lines import ALL, COMING, LINES
from tests.worlds.pretrained_model import write_model
from tests.worlds.spectral_checkpoints import write_landsat
from tests.worlds.vgg16 import write_vgg16

# Networks that train in a second, from the environment: the lines stay as they are.
TINY = {
    "RSFORGE_CHANNELS": "2,4,4,8", "RSFORGE_HIDDEN": "16,16,16,16", "RSFORGE_BASE_WIDTH": "1",
    "RSFORGE_NUM_WORKERS": "0", "RSFORGE_IMAGE_CHANNELS": "4,8",
    "RSFORGE_UNET_CHANNELS": "4,4,8", "RSFORGE_UNET_NUM_HEADS": "2", "RSFORGE_UNET_LAYERS_PER_BLOCK": "1",
    "RSFORGE_VAE_CHANNELS": "4,4,4", "RSFORGE_CLIP_EMBEDDING_DIM": "16", "RSFORGE_CLIP_NUM_HEADS": "2",
    "RSFORGE_CLIP_NUM_LAYERS": "1", "RSFORGE_UNET_CONTEXT_DIM": "16",
    "HF_TOKEN": "hf_token", "MODEL_NAME": "sd", "DATA_DIR": "rsicd_images", "OUTPUT_DIR": "RemoteDiff",
    "RSFORGE_HIDDEN_WIDTH": "8", "RSFORGE_BLOCKS": "1", "RSFORGE_DRAWN_BANDS": "8",
}  # fmt: skip
# What the first words of a line make.
MADE = {
    "vae train": "vae_models",
    "diffusion train": "diffusion_models",
    "cyclegan train": "cyclegan_models",
    "clip train": "checkpoints/clip",
    "diffusion train-sar": "checkpoints/model",
    "diffusion finetune": "RemoteDiff",
    "hsi train-spectral": "outputs/stage1_training",
    "hsi train-stage1": "outputs/stage1_training",
    "hsi train-spatial": "outputs/stage2_training",
    "hsi train-stage2": "outputs/stage2_training",
    "data prepare-classes": "training_data",
}
DRAW = [
    "data synth --kind tiles --count 12 --size 64 --output-dir data/corel",
    "data prepare-classes --data-dir data/corel --base-dir .",
    "data synth --kind pairs --count 40 --size 32 --output-dir v_2",
    "data synth --kind pairs-csv --count 40 --size 32 --output-dir Dataset",
    "data synth --kind captions --count 3 --size 32 --output-dir captions",
    "data parquet-to-jsonl --parquet captions --output-dir extracted --resolution 32",
    "data synth --kind scene --count 2 --size 64 --output-dir scenes",
    "data synth --kind cube --count 1 --size 32 --output-dir cubes",
    "data synth --kind cube --count 2 --size 32 --output-dir flights",
    "data hsi-patches --input flights --sensor landsat8 --patch-size 30 --stride 30 --output-dir outputs/dataset_small",
]
TRAIN = [
    f"vae train --data-dir {ALL} --epochs 1 --report-to none --no-perceptual",
    f"diffusion train --vae vae_models/best_model.pt --data-dir {ALL} --epochs 1 --timesteps 50 --validation-draws 1 "
    "--report-to none",
    "cyclegan train --data-dir v_2 --terrains agri --epochs 1 --report-to none --image-size 32 --lambda-content 0",
    "clip train --dataset-path Dataset --epochs 1 --report-to none --num-layers 1 --num-heads 2 --embedding-dim 16 "
    "--warmup-steps 0",
    "diffusion train-sar --dataset-path Dataset --max-train-steps 1 --vae-epochs 1 --vae-perceptual no --image-size 32 "
    "--report-to none --timesteps 50 --validation-draws 1",
    "hsi train-stage1 --model spectral_unmixing --epochs 1 --report-to none",
    "hsi train-stage2 --source truth --model lightweight --num-layers 1 --epochs 1 --report-to none",
]


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """What the documents' users have after each step, small; with VGG16 where torch keeps it."""
    place = tmp_path_factory.mktemp("documents") / "work"
    with pytest.MonkeyPatch.context() as patch:
        place.mkdir()
        patch.chdir(place)
        for name, value in {**TINY, "TORCH_HOME": str(place.parent / "torch")}.items():
            patch.setenv(name, value)
        _draw_images(place)
        for line in TRAIN:
            assert run([*shlex.split(line), "--quiet"]) == 0, line
        _as_the_documents_have_it(place)
    return place


def _draw_images(place: Path) -> None:
    for line in DRAW:
        assert run([*shlex.split(line), "--quiet"]) == 0, line
    weights = place.parent / "torch/hub/checkpoints"
    weights.mkdir(parents=True)
    write_vgg16(weights)


def _as_the_documents_have_it(place: Path) -> None:
    (place / "vae_models/class_0001").mkdir()
    (place / "configs").mkdir()
    shutil.copy(place / "vae_models/best_model.pt", place / "vae_models/class_0001")
    for name in ("vae_models/checkpoint_0020.pt", "diffusion_models/checkpoint_epoch_10.pt"):
        shutil.copy(place / name.split("/")[0] / "latest_model.pt", place / name)
    shutil.copy(place / "checkpoints/clip/latest_clip.pt", place / "checkpoints/clip/clip_epoch_10.pt")
    shutil.copy(place / "checkpoints/clip/best_clip.pt", place)
    shutil.copy(place / "checkpoints/model/latest_model.pt", place / "checkpoints/model/model_epoch_20.pt")
    shutil.copy(place / "outputs/stage1_training/latest_model.pth", place / "C")
    shutil.copy(place / "outputs/stage1_training/best_model.pth", place / "A")
    shutil.copy(place / "outputs/stage2_training/best_model.pth", place / "B")
    (patches, *_) = sorted((place / "outputs/dataset_small").rglob("*.h5"))
    with h5py.File(patches) as file:
        write_landsat(place / "in.tif", file["landsat"][0], names=file.attrs["landsat_bands"].tolist(), tags={})
    write_model(place / "RemoteDiff")
    write_model(place / "sd")
    shutil.move(place / "extracted/rsicd_images", place / "rsicd_images")
    shutil.copytree(place / "Dataset/r_000/s1_000", place / "test_images")
    (place / "path/to").mkdir(parents=True)
    shutil.copy(place / "Dataset/r_000/s1_000/img_p1.png", place / "path/to/sar_image.png")
    (place / "configs/model_config.json").write_text(MODEL_CONFIG)
    (place / "configs/clip_config.json").write_text(CLIP_CONFIG)
    (parquet,) = (place / "captions").glob("*.parquet")
    parquet.rename(place / "data/train.parquet")
    outside = place.parent / "path/to"
    outside.mkdir(parents=True)
    shutil.copy(place / "data/train.parquet", outside)
    (outside / "captions.txt").write_text("image_000001.jpg\ta field\n")


def link_all_but(world: Path, place: Path, made: str | None) -> None:
    """Links to everything in ``world`` but to what a line is to make, which may lie in a folder with other things."""
    folder, _, inner = (made or "").rpartition("/")
    for entry in world.iterdir():
        if entry.name == folder:
            (place / folder).mkdir()
            link_all_but(entry, place / folder, inner)
        elif entry.name != made:
            (place / entry.name).symlink_to(entry)


@pytest.fixture
def at_work(world, tmp_path, monkeypatch):
    """Runs a line in a folder of its own, which holds all inputs but what the line itself is to make."""
    for name, value in {**TINY, "TORCH_HOME": str(world.parent / "torch")}.items():
        monkeypatch.setenv(name, value)
    # What a step takes is measured in tests/recipes/training, and takes longer than the rest of a plan.
    monkeypatch.setattr("rsforge.recipes.training.plan.estimate_step", lambda *given, **named: 0)
    here = tmp_path / "work"

    def call(line: str) -> list[str]:
        argv = shlex.split(
            line.replace("/workspace", str(tmp_path / "workspace")).replace("/path/", f"{world.parent}/path/")
        )
        resumed = {"--resume", "--resume_from", "--checkpoint"} & set(argv)
        made = MADE.get(" ".join(argv[:2])) if not resumed else None
        for place in (here, tmp_path / "workspace"):
            place.mkdir()
            link_all_but(world, place, made)
        (tmp_path / "Dataset").symlink_to(world / "Dataset")
        monkeypatch.chdir(here)
        return argv

    return call


def dry(argv: list[str]) -> list[str]:
    command = COMMANDS.get(tuple(locate(argv)[0]))
    return (
        [*argv, "--dry-run"] if command and "dry_run" in common_options(command) and "--dry-run" not in argv else argv
    )


def rows(table: dict[str, list[str]]) -> list[object]:
    return [pytest.param(line, id=f"{name}: {line[:60]}") for name, lines in table.items() for line in lines]


@pytest.mark.parametrize("line", rows(LINES))
def test_the_line_does_what_the_document_says(shell, at_work, tmp_path, line):
    argv = at_work(line)
    before = sorted(path for path in tmp_path.rglob("*") if not path.is_symlink())
    ran = shell(*dry(argv))
    assert ran.code == 0, ran.err
    assert sorted(path for path in tmp_path.rglob("*") if not path.is_symlink()) == before


@pytest.mark.parametrize("line", rows(COMING))
def test_the_line_is_one_that_does_not_exist_yet(shell, line):
    ran = shell(*shlex.split(line))
    assert ran.code == 2 and "RSF-U002" in ran.err, "it exists now: move it to LINES"
