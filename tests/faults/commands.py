"""The commands that are killed, each with the files it needs in the folder that it runs in."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rsforge.data.synthetic.tile_dataset import write_tiles
from tests.worlds.caption_extraction import encode_picture, write_captioned
from tests.worlds.captioned_folder import LINE as FINETUNE
from tests.worlds.captioned_folder import write_captioned_folder
from tests.worlds.clip import TINY as CLIP
from tests.worlds.commands import DIFFUSION, VAE, rsforge
from tests.worlds.cyclegan import write_checkpoint
from tests.worlds.hsi import SPATIAL, draw_scenes
from tests.worlds.hsi import TINY as HSI
from tests.worlds.hsi import TRAIN as STAGE1
from tests.worlds.main_job import FORMER, lay_out
from tests.worlds.pretrained_model import write_model
from tests.worlds.sar_diffusion import DRAWING, SAR, make_world
from tests.worlds.spectral_checkpoints import draw_landsat, write_landsat, write_stage1
from tests.worlds.spectral_patches import write_scene

RUN = "--output-dir run --report-to none"
MAP = VAE.replace("--latent-dim 8", "--latent map --latent-channels 2").replace("--num-workers 0", "--num-workers 2")
GAN = "--data-dir pairs --image-size 32 --base-width 4 --lambda-content 0 --batch-size 6"
DENOISER = "--vae vae_vector/best_model.pt --image-dir tiles"


@dataclass(frozen=True)
class Command:
    """A command line; ``weight`` is its share of all kills, ``module`` its recipe, ``processes`` how many train."""

    name: str
    line: str
    module: str
    make: Callable[[Path], Any]
    weight: int = 10
    processes: int = 1

    @property
    def trains(self) -> bool:
        return bool(re.search(r" (train(-\w+)?|finetune) ", self.line))


def tiles(place: Path) -> None:
    write_tiles(place / "tiles", 24, 16, seed=1)


def world(kind: str, options: str = "") -> Callable[[Path], Any]:
    """What makes a synthetic data set of a kind in the folder ``given``."""
    return lambda place: rsforge(f"data synth --kind {kind} --output-dir {{}} --quiet {options}", place / "given")


def pairs(place: Path) -> None:
    rsforge("data synth --kind pairs --count 16 --size 32 --output-dir {} --quiet", place / "pairs")


def rows(place: Path) -> None:
    pictures: list[bytes | None] = [encode_picture(k) for k in range(150)]
    write_captioned(place / "rows.parquet", pictures, [[f"picture {k}", "a field"] for k in range(150)])


def table(place: Path) -> None:
    lines = (f"image_{k:05d}.jpg\ta field beside road {k}\n" for k in range(600))
    (place / "captions.txt").write_text("".join(lines))


def table_with_images(place: Path) -> None:
    shutil.copytree(FORMER / "tiles", place / "images")
    names = sorted(path.name for path in (place / "images").iterdir() if path.suffix == ".png")
    (place / "images" / "captions.txt").write_text("".join(f"{name}\ta field\n" for name in names))


def classes(place: Path) -> None:
    shutil.copytree(FORMER / "tiles", place / "given")


def patches(place: Path) -> None:
    draw_scenes(place / "patches")


def first_stage(place: Path) -> None:
    """Patches, and a stage 1 trained on them once for all commands of a campaign."""
    shared = place.parents[1] / "stage 1"
    if not shared.exists():
        patches(shared)
        rsforge(STAGE1 + "--epochs 2 --quiet", shared / "patches", shared / "stage1")
    shutil.copytree(shared / "patches", place / "patches")
    shutil.copy(shared / "stage1/best_model.pth", place / "stage1.pth")


def scenes_and_stage1(place: Path) -> None:
    write_stage1(place / "stage1.pth")
    for k in range(3):
        write_landsat(place / "given" / f"{k}.tif", draw_landsat(60, 50, seed=k))
    write_scene(place / "given/patches.h5", 3)


def generator(place: Path) -> None:
    write_checkpoint(place / "gan.pt")


def generator_and_images(place: Path) -> None:
    generator(place)
    (place / "s1").mkdir()
    values = np.random.default_rng(0)
    for k in range(12):
        suffix = "tif" if k % 3 == 0 else "png"
        Image.fromarray(values.integers(0, 255, (40, 56), np.uint8)).save(place / "s1" / f"{k:02d}.{suffix}")


def map_autoencoder(place: Path) -> None:
    shutil.copytree(FORMER / "vae_map", place / "vae_map")


def sar_world(place: Path) -> None:
    """Pairs, a text encoder and a model of SAR to optical images, trained once for all commands of a campaign."""
    shared = place.parents[1] / "SAR to optical"
    if not shared.exists():
        make_world(shared)
    shutil.copytree(shared, place, dirs_exist_ok=True)


def sar_pairs(place: Path) -> None:
    """The same without a model."""
    sar_world(place)
    shutil.rmtree(place / "model")


def captioned_images_and_model(place: Path) -> None:
    write_captioned_folder(place / "images")
    write_model(place / "model")


VAE_LINE = f"vae train --data-dir tiles {RUN} --epochs 4 --save-every 2 --sample-every 2 --kl-warmup 1"
DIFFUSION_LINE = f"diffusion train {DENOISER} {RUN} --epochs 4 --save-every 2 --sample-every 2 {DIFFUSION}"
GAN_LINE = f"cyclegan train {GAN} {RUN} --epochs 3 --save-every 1 --sample-every 2"
CLIP_LINE = f"clip train --data-dir Dataset --output-dir run --epochs 3 --save-every 1 {CLIP}"
HSI_LINE = f"hsi train-spectral --data-dir patches --output-dir run --epochs 4 --keep-checkpoints 2 {HSI}"
SPATIAL_LINE = f"{SPATIAL.format('patches', 'stage1.pth', 'run')} --epochs 4 --keep-checkpoints 2 --source mix"
SAR_LINE = f"diffusion train-sar --data-dir Dataset --clip-checkpoint clip.pt --output-dir run {SAR}"
FINETUNE_LINE = f"{FINETUNE.format('model', 'images', 'run')} --keep-checkpoints 2"
DRAW = DRAWING.format("model/best_model.pt")
SAMPLE = "sample --diffusion-checkpoint diffusion_vector/best_model.pt --vae vae_vector/best_model.pt"
DATA, TRAIN = "rsforge.recipes.data", "rsforge.recipes"

COMMANDS = (
    Command("vae train", f"{VAE_LINE} {VAE}", f"{TRAIN}.vae.train", tiles, 14),
    Command("vae train, map, 2 workers", f"{VAE_LINE} {MAP}", f"{TRAIN}.vae.train", tiles, 8),
    Command("vae train, 2 processes", f"{VAE_LINE} {VAE} --processes 2", f"{TRAIN}.vae.train", tiles, 2, processes=2),
    Command("diffusion train", DIFFUSION_LINE, f"{TRAIN}.diffusion.train", lay_out, 14),
    Command("diffusion train, 2 workers", DIFFUSION_LINE.replace("--num-workers 0", "--num-workers 2"),
            f"{TRAIN}.diffusion.train", lay_out, 8),
    Command("cyclegan train", f"{GAN_LINE} --num-workers 0", f"{TRAIN}.cyclegan.train", pairs, 14),
    Command("cyclegan train, 2 workers", f"{GAN_LINE} --num-workers 2", f"{TRAIN}.cyclegan.train", pairs, 8),
    Command("cyclegan train, 2 processes", f"{GAN_LINE} --num-workers 0 --processes 2", f"{TRAIN}.cyclegan.train",
            pairs, 1, processes=2),
    Command("clip train", CLIP_LINE, f"{TRAIN}.clip.train", sar_pairs, 8),
    Command("hsi train-spectral", HSI_LINE, f"{TRAIN}.hsi.train_spectral", patches, 8),
    Command("hsi train-spatial", SPATIAL_LINE, f"{TRAIN}.hsi.train_spatial", first_stage, 8),
    Command("hsi evaluate", "hsi evaluate --stage1-checkpoint stage1.pth --data-dir patches --output-dir out "
            "--resamples 100 --device cpu", f"{TRAIN}.hsi_evaluation.evaluate", first_stage, 4),
    Command("hsi predict", "hsi predict --stage1-checkpoint stage1.pth --input given --output out --tile 26",
            f"{TRAIN}.hsi.predict", scenes_and_stage1, 8),
    Command("diffusion train-sar", f"{SAR_LINE} --epochs 3 --save-every 1 --sample-every 2",
            f"{TRAIN}.diffusion.train_sar", sar_pairs, 10),
    Command("diffusion finetune", FINETUNE_LINE, f"{TRAIN}.text_to_image.finetune", captioned_images_and_model, 8),
    Command("diffusion finetune, adapters", f"{FINETUNE_LINE} --lora-rank 2", f"{TRAIN}.text_to_image.finetune",
            captioned_images_and_model, 8),
    Command("diffusion evaluate-text", "diffusion evaluate-text --pipeline model --data-dir images --output-dir out "
            "--num-inference-steps 2 --classifier-epochs 0 --resamples 100 --device cpu",
            f"{TRAIN}.text_evaluation.evaluate", captioned_images_and_model, 4),
    Command("data parquet-to-jsonl", "data parquet-to-jsonl --parquet-path rows.parquet --output-dir out "
            "--resolution 16 --num-workers 2", f"{DATA}.parquet_to_jsonl", rows),
    Command("data captions-to-jsonl", "data captions-to-jsonl --caption-file captions.txt --output-file out.jsonl",
            f"{DATA}.captions_to_jsonl", table, 8),
    Command("data captions-to-jsonl, tar", "data captions-to-jsonl --caption-file images/captions.txt --images-dir "
            "images --output-file out.tar", f"{DATA}.captions_to_jsonl", table_with_images, 8),
    Command("data prepare-classes", "data prepare-classes --data-dir given --output-dir out --figs-dir figs",
            f"{DATA}.prepare_classes", classes),
    Command("data tile", "data tile --sar given --optical given --size 16 --output-dir out", f"{DATA}.tile",
            world("scene", "--size 64")),
    Command("data split", "data split --data-dir pairs --val 0.3", f"{DATA}.split", pairs, 8),
    Command("data audit", "data audit --data-dir pairs --output-dir out", f"{DATA}.audit", pairs, 8),
    Command("data hsi-patches", "data hsi-patches --input given --sensor landsat8 --patch-size 8 --output-dir out "
            "--split-by block --val 0.3", f"{DATA}.hsi_patches", world("cube", "--size 48")),
    *(
        Command(f"data synth, {kind}", f"data synth --kind {kind} --count {count} --size 32 --output-dir out",
                f"{DATA}.synth", lambda place: None, 6)
        for kind, count in {"tiles": 8, "pairs-csv": 8, "captions": 16, "cube": 2, "scene": 2}.items()
    ),
    Command("cyclegan translate", "cyclegan translate --checkpoint gan.pt --input s1 --output out --batch-size 2",
            f"{TRAIN}.cyclegan.translate", generator_and_images),
    Command("diffusion export", "diffusion export --pipeline model --output-dir out", f"{TRAIN}.text_to_image.export",
            lambda place: write_model(place / "model"), 8),
    Command("cyclegan export", "cyclegan export --checkpoint gan.pt --output-dir out --formats safetensors",
            f"{TRAIN}.cyclegan.export", generator, 8),
    Command("vae export", "vae export --checkpoint vae_map/latest_model.pt --output-dir out", f"{TRAIN}.vae.export",
            map_autoencoder, 8),
    Command("vae reconstruct", "vae reconstruct --checkpoint vae_map/latest_model.pt --data-dir tiles --output r.png",
            f"{TRAIN}.vae.reconstruct", lambda place: (map_autoencoder(place), tiles(place)), 6),
    Command("sample", f"{SAMPLE} --num-images 6 --ddim-steps 4 --seed 3", f"{TRAIN}.sample.images", lay_out),
    Command("sample text", "sample text --pipeline model --prompt trees --num-images 2 --num-inference-steps 2 "
            "--seed 3", f"{TRAIN}.sample.text", lambda place: write_model(place / "model")),
    Command("sample single", f"sample single {DRAW} --samples 2 --input-image Dataset/r_000/s1_000/img_p1.png "
            "--output-path out/a.png", f"{TRAIN}.sample.single", sar_world, 4),
    Command("sample batch", f"sample batch {DRAW} --input-dir Dataset/r_000/s1_000 --output-dir out",
            f"{TRAIN}.sample.batch", sar_world, 4),
    Command("sample scene", f"sample scene {DRAW} --samples 2 --input Dataset/r_000/s1_000/img_p1.png --tile 16 "
            "--output out/a.tif", f"{TRAIN}.sample.scene", sar_world, 4),
    Command("sample dataset", f"sample dataset {DRAW} --data-dir Dataset --num-samples 3 --output-dir out",
            f"{TRAIN}.sample.dataset", sar_world, 4),
)  # fmt: skip
