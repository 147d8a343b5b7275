"""Each remedy that names an option, followed on the input that failed, gives another outcome."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from rsforge.cli.argv import locate
from rsforge.cli.leaves import spellings
from rsforge.cli.main import run
from rsforge.cli.tree import COMMANDS, common_options
from rsforge.data.io.image_writer import encode_image
from tests.worlds.commands import DIFFUSION, VAE, rsforge
from tests.worlds.cyclegan import write_checkpoint
from tests.worlds.pairs import fields, save, write_pairs
from tests.worlds.parquet_tables import structs, write_table
from tests.worlds.spectral_cubes import draw_cube, write_envi
from tests.worlds.translation import noise, raster

GAN = "--image-size 32 --base-width 4 --lambda-content 0 --num-workers 0 --dry-run"
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]+")


class Failure(NamedTuple):
    """A command line that fails with ``code``, and the ways out that its message offers.

    ``{base}`` is a fresh folder that ``setup`` fills, ``{job}`` that of a trained autoencoder and denoiser. A way out
    is an option to give, or with ``without`` before it one to leave out; values are ours.
    """

    code: str
    line: str
    remedies: list[str]
    setup: Callable[[Path], Any] = lambda base: None


def pairs(base: Path) -> None:
    write_pairs(base / "pairs", ("agri", "urban"), count=4, size=32)


def grey_pairs(base: Path) -> None:
    pairs(base)
    for path in (base / "pairs").rglob("s2/*"):
        save(path, np.asarray(Image.open(path).convert("L")))


def generator(base: Path) -> None:
    write_checkpoint(base / "gan.pt")
    for name in ("a", "b"):
        save(base / "in" / f"{name}.png", np.full((40, 40), 90, np.uint8))
    (base / "in/c.png").write_bytes(b"\x89PNG")


def sound_generator(base: Path) -> None:
    generator(base)
    (base / "in/c.png").unlink()


def stack_of_bands(base: Path) -> None:
    write_checkpoint(base / "gan.pt")
    raster(base / "s.tif", noise(40, 40, 2))


def translated(base: Path) -> None:
    sound_generator(base)
    assert run(shlex.split(TRANSLATE.replace("{base}", shlex.quote(str(base))))) == 0


def nameless_pairs(base: Path) -> None:
    for k in range(12):
        for side, image in zip(("s1", "s2"), fields(32, k), strict=True):
            save(base / "pairs/agri" / side / f"{k}.png", image)


def broken_tile(base: Path) -> None:
    for k in range(12):
        save(base / "tiles" / f"{k}.png", np.random.default_rng(k).integers(0, 255, (16, 16, 3), np.uint8))
    (base / "tiles/x.png").write_bytes(b"no image")


def world(base: Path) -> None:
    assert rsforge("data synth --kind pairs --count 8 --size 32 --output-dir {}", base / "world") == 0


def scenes(base: Path) -> None:
    sar, optical = fields(64, 1)
    save(base / "whole/scene/s1.png", sar)
    save(base / "whole/scene/s2.png", optical)


def cut_scenes(base: Path) -> None:
    scenes(base)
    line = "data tile --sar {} --optical {} --output-dir {} --size 16"
    assert rsforge(line, base / "whole", base / "whole", base / "cut") == 0


def cubes(base: Path) -> None:
    write_envi(base / "cubes" / "flight_0_img", draw_cube(0))


def captions(base: Path) -> None:
    (base / "captions.txt").write_text("a.jpg\tone\nb.jpg\ttwo\n")
    (base / "m.jsonl").write_text("something else\n")


def empty_terrain(base: Path) -> None:
    pairs(base)
    for side in ("s1", "s2"):
        (base / "pairs/lake" / side).mkdir(parents=True)


def sound_tiles(base: Path) -> None:
    broken_tile(base)
    (base / "tiles/x.png").unlink()


def divided(base: Path) -> None:
    world(base)
    assert rsforge("data split --data-dir {}", base / "world") == 0


def classes(base: Path) -> None:
    for name in ("0001_0001", "0001_0002", "0002_0001"):
        save(base / "classes" / f"{name}.png", np.full((16, 16, 3), 90, np.uint8))
    (base / "classes/classes.txt").write_text("1 fields\n2 river\n")
    (base / "classes/0002_0002.png").write_bytes(b"no image")


def cut_cubes(base: Path) -> None:
    cubes(base)
    assert run([*shlex.split(HSI.replace("{base}", shlex.quote(str(base)))), "--patch-size", "15"]) == 0


def parquets(base: Path) -> None:
    for name in ("a", "b"):
        picture = structs(encode_image(np.zeros((8, 8, 3), np.uint8), ".png"))
        write_table(base / f"{name}.parquet", filename=["a.png"], captions=[["a field"]], image=picture)


def exported(base: Path) -> None:
    write_checkpoint(base / "gan.pt")
    line = "cyclegan export --checkpoint {} --output-dir {} --formats safetensors"
    assert rsforge(line, base / "gan.pt", base / "e") == 0


def filled(name: str) -> Callable[[Path], None]:
    def setup(base: Path) -> None:
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_text("mine")

    return setup


TRANSLATE = "cyclegan translate --checkpoint {base}/gan.pt --input {base}/in --output {base}/out"
HSI = "data hsi-patches --input {base}/cubes --output-dir {base}/out --sensor landsat8"
FAILURES = {
    "occupied run": Failure(
        "RSF-U004", f"vae train --data-dir {{job}}/tiles --output-dir {{base}}/run {VAE} --dry-run",
        ["--overwrite", "--output-dir {base}/other"], filled("run/notes.txt"),
    ),
    "nothing to resume": Failure(
        "RSF-C001", f"vae train --data-dir {{job}}/tiles --output-dir {{base}}/run {VAE} --dry-run --resume",
        ["without --resume"],
    ),
    "size of a denoiser's images": Failure(
        "RSF-C006",
        f"diffusion train --vae {{job}}/vae_models/best_model.pt --data-dir {{job}}/tiles --dry-run "
        f"--output-dir {{base}}/run {DIFFUSION.replace('--image-size 16', '--image-size 32')}",
        ["--image-size 16"],
    ),
    "norm of single values": Failure(
        "RSF-U005",
        f"cyclegan train --data-dir {{base}}/pairs --allow-leak {GAN} --gan-loss wgan-gp --critic-norm batch",
        ["--critic-norm instance"], pairs,
    ),
    "best by what is not there": Failure(
        "RSF-U005", f"cyclegan train --data-dir {{base}}/pairs --allow-leak {GAN} --best-by content",
        ["--best-by cycle"], pairs,
    ),
    "grey optical images": Failure(
        "RSF-D009", f"cyclegan train --data-dir {{base}}/pairs --allow-leak {GAN}", ["--allow-gray-optical"], grey_pairs
    ),
    "no scenes": Failure(
        "RSF-D011", f"cyclegan train --data-dir {{base}}/pairs {GAN}", ["--allow-leak"], nameless_pairs
    ),
    "broken tile": Failure(
        "RSF-D002", f"vae train --data-dir {{base}}/tiles --output-dir {{base}}/run {VAE} --dry-run",
        ["--on-bad skip"], broken_tile,
    ),
    "broken image": Failure("RSF-D002", TRANSLATE, ["--on-bad skip"], generator),
    "translated before": Failure(
        "RSF-U004", TRANSLATE, ["--skip-existing", "--overwrite", "--output {base}/other"], translated
    ),
    "size of tiles": Failure("RSF-U005", f"{TRANSLATE} --tile 33", ["--tile 32"], sound_generator),
    "range of digital numbers": Failure(
        "RSF-U005", f"{TRANSLATE} --radiometry dn", ["--clip 0 4000"], sound_generator
    ),
    "bands beyond the model's": Failure(
        "RSF-D003", "cyclegan translate --checkpoint {base}/gan.pt --input {base}/s.tif --output {base}/o.tif",
        ["--bands 2"], stack_of_bands,
    ),
    "one picture of many": Failure(
        "RSF-U005", TRANSLATE.replace("/out", "/out.png"), ["--output {base}/out"], sound_generator
    ),
    "no picture": Failure(
        "RSF-U006",
        "sample --diffusion-checkpoint {job}/diffusion_models/best_model.pt --dry-run --output {base}/a.xyz",
        ["--output {base}/a.png"],
    ),
    "no such device": Failure(
        "RSF-E005", f"{TRANSLATE} --device cuda:7", ["--device auto", "--device cpu"], sound_generator
    ),
    "drawn before": Failure(
        "RSF-U004", "data synth --kind pairs --count 4 --size 32 --output-dir {base}/world",
        ["--overwrite", "--output-dir {base}/other"], world,
    ),
    "scenes smaller than a patch": Failure(
        "RSF-D003", "data tile --sar {base}/whole --optical {base}/whole --size 512 --output-dir {base}/out",
        ["--size 16"], scenes,
    ),
    "cut before": Failure(
        "RSF-U004", "data tile --sar {base}/whole --optical {base}/whole --size 16 --output-dir {base}/cut",
        ["--overwrite"], cut_scenes,
    ),
    "option of another division": Failure(
        "RSF-U005", "data split --data-dir {base}/world --block-size 64", ["without --block-size", "--by block"], world
    ),
    "blocks that are too large": Failure(
        "RSF-D004", "data split --data-dir {base}/cut --by block --block-size 4096", ["--block-size 32"], cut_scenes
    ),
    "blocks that are too small": Failure(
        "RSF-U005", "data split --data-dir {base}/cut --by block --block-size 8", ["--block-size 32"], cut_scenes
    ),
    "one scene": Failure("RSF-D004", "data split --data-dir {base}/cut --by scene", ["--by block"], cut_scenes),
    "patches that nobody can place": Failure(
        "RSF-D011", "data split --data-dir {base}/pairs --by scene", ["--allow-leak"], nameless_pairs
    ),
    "patches larger than the cube": Failure("RSF-D004", f"{HSI} --patch-size 300", ["--patch-size 15"], cubes),
    "cubes that cannot be divided": Failure(
        "RSF-D004", f"{HSI} --patch-size 15 --split-by block --val 0.2", ["--split-by none"], cubes
    ),
    "captions over something else": Failure(
        "RSF-U004", "data captions-to-jsonl --caption-file {base}/captions.txt --output-file {base}/m.jsonl",
        ["--overwrite", "--output-file {base}/other.jsonl"], captions,
    ),
    "a settings file that is there": Failure(
        "RSF-U004", "config cp vae-tiny {base}/mine.toml", ["--overwrite"], filled("mine.toml")
    ),
    "no folder of pairs": Failure(
        "RSF-D001", f"cyclegan train --data-dir {{base}}/none --allow-leak {GAN}", ["--data-dir {base}/pairs"], pairs
    ),
    "a terrain without pairs": Failure(
        "RSF-D009", f"cyclegan train --data-dir {{base}}/pairs --allow-leak {GAN} --terrains agri,lake",
        ["without --terrains", "--terrains agri"], empty_terrain,
    ),
    "best by what is not held out": Failure(
        "RSF-U005", f"cyclegan train --data-dir {{base}}/pairs {GAN} --val-fraction 0 --best-by l1",
        ["without --best-by"], pairs,
    ),
    "no torchrun": Failure(
        "RSF-U005", f"vae train --data-dir {{job}}/tiles --output-dir {{base}}/run {VAE} --dry-run --distributed",
        ["without --distributed"],
    ),
    "images in the output folder": Failure(
        "RSF-U005", f"vae train --data-dir {{base}}/tiles --output-dir {{base}}/tiles {VAE} --dry-run --overwrite",
        ["--output-dir {base}/run"], sound_tiles,
    ),
    "a checkpoint of another folder": Failure(
        "RSF-U005", "vae train --resume {job}/vae_models/best_model.pt --output-dir {base}/run --dry-run",
        ["--output-dir {job}/vae_models"],
    ),
    "no such band": Failure(
        "RSF-D003",
        "cyclegan translate --checkpoint {base}/gan.pt --input {base}/s.tif --output {base}/o.tif --bands HH",
        ["--bands 2"], stack_of_bands,
    ),
    "translations over their sources": Failure(
        "RSF-U005", TRANSLATE.replace("/out", "/in") + " --overwrite", ["--output {base}/out"], sound_generator
    ),
    "divided before": Failure("RSF-U004", "data split --data-dir {base}/world --seed 9", ["--overwrite"], divided),
    "a split that is a folder": Failure(
        "RSF-E008", "data split --data-dir {base}/world --output {base}/world", ["--output {base}/s.json"], world
    ),
    "patches in no HDF5 file": Failure(
        "RSF-D001", "data split --data-dir {base}/world --layout patches", ["--layout auto"], world
    ),
    "terrain of another layout": Failure(
        "RSF-U005", "data tile --sar {base}/whole --optical {base}/whole --size 16 --output-dir {base}/out "
        "--layout regions --terrain agri",
        ["without --terrain", "--layout terrain"], scenes,
    ),
    "classes inside their images": Failure(
        "RSF-U005",
        "data prepare-classes --data-dir {base}/classes --output-dir {base}/classes/out --figs-dir {base}/figs",
        ["--output-dir {base}/out"], classes,
    ),
    "a class image that is broken": Failure(
        "RSF-D002", "data prepare-classes --data-dir {base}/classes --output-dir {base}/out --figs-dir {base}/figs",
        ["--on-bad skip"], classes,
    ),
    "cubes cut before": Failure(
        "RSF-U004", f"{HSI} --patch-size 15", ["--overwrite", "--output-dir {base}/other"], cut_cubes
    ),
    "a cube without the bands": Failure(
        "RSF-D014", f"{HSI} --patch-size 15 --drop-nm 300-1000", ["--drop-nm 2600-2700"], cubes
    ),
    "all bands dropped": Failure("RSF-D014", f"{HSI} --patch-size 15 --drop-nm 0-9000", ["--drop-nm 2600-2700"], cubes),
    "several Parquet sets": Failure(
        "RSF-U001", "data parquet-to-jsonl --base-dir {base} --output-dir out", ["--parquet-path a.parquet"], parquets
    ),
    "a setting without a value": Failure(
        "RSF-U002", f"vae train --data-dir {{job}}/tiles --output-dir {{base}}/run {VAE} --dry-run --set epochs",
        ["--set epochs=5"],
    ),
    "a demo before": Failure(
        "RSF-U004", "demo --output-dir {base}/demo --dry-run", ["--overwrite", "--output-dir {base}/other"],
        filled("demo/notes.txt"),
    ),
    "evaluated before": Failure(
        "RSF-U004", "vae evaluate --checkpoint {job}/vae_models/best_model.pt --data-dir {job}/tiles --dry-run "
        "--output-dir {base}/e",
        ["--overwrite", "--output-dir {base}/other"], filled("e/evaluation.json"),
    ),
    "exported before": Failure(
        "RSF-U004", "cyclegan export --checkpoint {base}/gan.pt --output-dir {base}/e --formats safetensors --dry-run",
        ["--overwrite", "--output-dir {base}/other"], exported,
    ),
}  # fmt: skip


def follow(words: list[str], remedy: str) -> list[str]:
    """The command line ``words`` after a remedy."""
    head, *values = shlex.split(remedy.removeprefix("without "))
    kept: list[str] = []
    skipping = False
    for word in words:
        if word.startswith("--"):
            skipping = word == head
        if not skipping:
            kept.append(word)
    return kept if remedy.startswith("without ") else [*kept, head, *values]


def foreign_options(words: list[str], fix: str) -> list[str]:
    """The options that ``fix`` names for this command and that it does not have."""
    command = COMMANDS[tuple(locate(words)[0])]
    known = {f"--{name.replace('_', '-')}" for name in [*spellings(command.model), *common_options(command)]}
    own = re.sub(r"`[^`]*`", "", fix)
    return [option for option in OPTION.findall(own) if option not in known]


@pytest.mark.parametrize("name", FAILURES)
def test_a_remedy_remedies(name, job, tmp_path, capsys):
    failure = FAILURES[name]
    places = {"{base}": str(tmp_path), "{job}": str(job.tiles.parent)}

    def fill(line: str) -> list[str]:
        words = shlex.split(line)
        for key, place in places.items():
            words = [word.replace(key, place) for word in words]
        return words

    def outcome(words: list[str]) -> tuple[str, str]:
        capsys.readouterr()
        code = run([*words, "--json"])
        last = capsys.readouterr().err.splitlines()[-1:]
        told = json.loads(last[0]) if code else {"code": "", "message": "", "fix": ""}
        return told["code"] + told["message"], told["fix"]

    failure.setup(tmp_path)
    words = fill(failure.line)
    before, fix = outcome(words)
    assert before.startswith(failure.code), before
    assert not foreign_options(words, fix), fix
    for remedy in failure.remedies:
        head = remedy.removeprefix("without ").split()[0]
        assert head in fix, fix
        filled_in = " ".join(remedy.replace(key, shlex.quote(place)) for key, place in places.items() if key in remedy)
        after, _ = outcome(follow(words, filled_in or remedy))
        assert after != before
