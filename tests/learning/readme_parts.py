"""The parts of README's "What it learns, measured" and of docs/measurements.md: what remakes each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rsforge.tasks.diffusion import name_by_quarter
from tests.learning.readme_rows import (
    Rows,
    read_all,
    read_evaluated,
    read_json,
    read_judged,
    read_lines,
    read_pairs,
)


@dataclass(frozen=True)
class Part:
    """A part of a text, remade by ``lines``, one after the other.

    Lines begin with ``rsforge`` or the name of a script of this folder. In them ``{folder}`` is where the part writes;
    ``{tiles}``, ``{pairs}``, ``{cubes}`` and ``{vgg}``, of which it ``needs`` some, are what the user names;
    ``{seeds}`` are the seeds and ``{count}`` is their number; a line with ``{seed}`` is for each of them. ``minutes``
    of one core are for ``seeds``. ``headings`` begin the first lines of its tables, ``texts`` are what is said outside
    of tables. ``read`` finds the new figures in the folder. Parts of docs/measurements.md are ``longer``. A part
    without lines is not remade, for a ``reason``.
    """

    name: str
    minutes: float
    lines: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    needs: tuple[str, ...] = ()
    headings: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    read: Callable[[Path], Rows] | None = None
    reason: str = ""
    longer: bool = False

    def commands(self, given: Mapping[str, str], seeds: Sequence[int]) -> list[list[str]]:
        """The lines as words, those of all seeds."""
        fixed = {**given, "seeds": " ".join(map(str, seeds)), "count": str(len(seeds))}
        found: list[list[str]] = []
        for seed in seeds:
            for line in self.lines:
                words = [word.format(**fixed, seed=seed) for word in line.replace("{seeds}", fixed["seeds"]).split()]
                if words not in found:
                    found.append(words)
        return found


QUIET = "--report-to none --quiet --overwrite"
MAP_AUTOENCODER = "map_autoencoder --data-dir {tiles} --folder {folder}/vae-{seed} --seed {seed} --vgg-weights {vgg}"
MAP_DENOISER = (
    "rsforge diffusion train --config diffusion-tiny --image-size 64 --layers-per-block 1 --head-width 16 "
    "--timesteps 1000 --lr 1e-3 --batch-size 16 --data-dir {tiles} "
    f"--vae {{folder}}/vae-{{seed}}/best_model.pt --seed {{seed}} {QUIET}"
)
WIDE = "--channels 48,64,64 --epochs 100 --validate-every 10 --lr-scheduler cosine"
NARROW = "--channels 32,64 --epochs 40 --validate-every 5"
MAP_TRAINING = (MAP_AUTOENCODER, f"{MAP_DENOISER} {WIDE} --output-dir {{folder}}/denoiser-{{seed}}")
COLOURS = (
    "map_autoencoder --data-dir {tiles} --folder {folder}/colours-{seed} --seed {seed} --vgg-weights {vgg} "
    "--chroma-weight 25 --perceptual yes",
)
COLOUR_FIGURES = read_all(read_lines("said.txt"), read_judged(colours="mse"))
SPECTRA = ("real_spectra --cubes {cubes} --folder {folder} --seeds {seeds}",)
SAMPLES = "samples --checkpoint {folder}/denoiser-{seed}/best_model.pt --vgg-weights {vgg} --folder {folder}/{seed}"
PARTS = (
    Part(
        "text-encoder",
        1,
        (
            "rsforge data synth --kind pairs-csv --count 960 --size 32 --output-dir {folder}/drawn --quiet --overwrite",
            "rsforge clip train --config clip-tiny --dataset-path {folder}/drawn --save-dir {folder}/clip-{seed} "
            f"--seed {{seed}} {QUIET}",
        ),
        (42, 0, 1),
        headings=("| seed | place of its own prompt |",),
        read=read_judged(clip="prompt_rank"),
    ),
    Part(
        "tiny",
        2.4,
        (
            f"rsforge vae train --config vae-tiny --data-dir {{tiles}} --epochs 10 --lr 3e-4 "
            f"--output-dir {{folder}}/vae-{{seed}} --seed {{seed}} {QUIET}",
            f"rsforge diffusion train --config diffusion-tiny --vae {{folder}}/vae-{{seed}}/best_model.pt "
            f"--data-dir {{tiles}} --epochs 60 --lr 1e-3 "
            f"--output-dir {{folder}}/denoiser-{{seed}} --seed {{seed}} {QUIET}",
            "rsforge vae evaluate --checkpoint {folder}/vae-{seed}/best_model.pt --data-dir {tiles} --side all "
            "--output-dir {folder}/numbers-{seed} --quiet --overwrite",
            "rsforge diffusion evaluate --checkpoint {folder}/denoiser-{seed}/best_model.pt --data-dir {tiles} "
            "--validation-draws 64 --output-dir {folder}/losses-{seed} --quiet --overwrite",
        ),
        (42, 0, 1),
        ("tiles",),
        (
            "| seed | autoencoder, squared error | linear channel of as many nats |",
            "| seed, 64 timesteps a tile | gain over the best closed form |",
        ),
        (),
        read_all(
            read_judged(vae="mse", denoiser="loss"),
            read_evaluated("losses", *(f"gain.{name}" for name in name_by_quarter("loss"))),
            read_evaluated("numbers", "total_correlation_nats"),
        ),
    ),
    Part(
        "maps",
        9,
        (*MAP_TRAINING, SAMPLES),
        (1,),
        ("tiles", "vgg"),
        ("| seed | figure | trained |", "| v-loss, map latents |", "| kernel distance |"),
        (),
        read_lines("said.txt"),
    ),
    Part(
        "maps-other-seeds",
        18,
        (*MAP_TRAINING, SAMPLES),
        (2, 3),
        ("tiles", "vgg"),
        (
            "| other seeds | figure | trained |",
            "| v-loss, map latents, other seeds |",
            "| farther than samples, other seeds |",
        ),
        (),
        read_lines("said.txt"),
    ),
    Part(
        "map-colours",
        12,
        COLOURS,
        (1, 2, 3),
        ("tiles", "vgg"),
        ("| seed, with colours and features | figure |",),
        (),
        COLOUR_FIGURES,
    ),
    Part(
        "text-to-image",
        15,
        ("text_to_image --folder {folder}/{seed} --scenes {folder} --seed {seed} --vgg-weights {vgg}",),
        (42, 0, 1),
        ("vgg",),
        ("| seed | drawn, % nearer to its own kind |",),
        (),
        read_lines("said.txt"),
    ),
    Part(
        "synthetic-pairs",
        12,
        (
            f"rsforge cyclegan train --config cyclegan-tiny --data-dir synthetic --test-fraction 0 "
            f"--output-dir {{folder}}/gan-{{seed}} --seed {{seed}} {QUIET}",
            "rsforge data synth --kind pairs --count 256 --size 64 --seed 7 "
            "--output-dir {folder}/world --quiet --overwrite",
            "rsforge cyclegan evaluate --checkpoint {folder}/gan-{seed}/latest_model.pt --data-dir {folder}/world "
            "--output-dir {folder}/evaluation-{seed} --quiet --overwrite",
        ),
        (42, 0, 1),
        (),
        ("| seed | figure | model | gain over the linear model |",),
        (),
        read_pairs,
        longer=True,
    ),
    Part(
        "real-pairs",
        24,
        ("real_pairs {pairs} --folder {folder} --seeds {count}",),
        (0, 1, 2),
        ("pairs",),
        ("| real, 32 pixels | seed |",),
        (),
        read_lines("table.md"),
    ),
    Part(
        "real-spectra",
        5,
        SPECTRA,
        (0, 1, 2),
        ("cubes",),
        (
            "| seed | spectral angle, network and ridge |",
            "| seed | spectral angle, stage 2 and bicubic |",
            "| seed | spectral angle, both stages, and ridge with bicubic |",
            "| seed | stage 2 over corrected bicubic: angle, RMSE |",
        ),
        (),
        read_lines("said.txt"),
    ),
    Part(
        "sar-to-optical",
        46,
        (
            "sar_to_optical --folder {folder} --pairs 6144 --epochs 10 --val-fraction 0.05 --validation-draws 2 "
            "--unet-attention-levels 1 --unet-attention-levels 2",
        ),
        (3,),
        (),
        ("| on 304 held-out pairs |",),
        (),
        read_json("figures.json"),
        longer=True,
    ),
    Part(
        "few-steps",
        40,
        ("few_steps --folder {folder} --vgg-weights {vgg}",),
        (3,),
        ("vgg",),
        (),
        ("mean absolute error 0.252 and 0.143, LPIPS 0.587 and 0.509", "it is farther still (0.365, 0.659)"),
        read_json("few_steps.json"),
        longer=True,
    ),
    Part(
        "map-predictions",
        17,
        (
            MAP_AUTOENCODER,
            *(
                f"{MAP_DENOISER} {NARROW} --prediction {kind} --schedule {schedule} "
                f"--output-dir {{folder}}/{name}-{{seed}}"
                for name, kind, schedule in (
                    ("denoiser", "v", "cosine"),
                    ("eps", "eps", "linear"),
                    ("flow", "flow", "flow"),
                )
            ),
            f"{SAMPLES} --beside {{folder}}/eps-{{seed}}/best_model.pt {{folder}}/flow-{{seed}}/best_model.pt",
        ),
        (1,),
        ("tiles", "vgg"),
        ("| kernel distance, other predictions |",),
        (),
        read_lines("said.txt"),
        longer=True,
    ),
    Part(
        "maps-more-seeds",
        18,
        (*MAP_TRAINING, SAMPLES),
        (4, 5),
        ("tiles", "vgg"),
        ("| v-loss, map latents, more seeds |", "| farther than samples, more seeds |"),
        (),
        read_lines("said.txt"),
        longer=True,
    ),
    Part(
        "map-colours-more-seeds",
        8,
        COLOURS,
        (4, 5),
        ("tiles", "vgg"),
        ("| more seeds, with colours and features | figure |",),
        (),
        COLOUR_FIGURES,
        longer=True,
    ),
    Part(
        "spectra-more-seeds",
        5,
        SPECTRA,
        (3, 4, 5),
        ("cubes",),
        ("| more seeds | stage 1 over ridge |",),
        (),
        read_lines("said.txt"),
        longer=True,
    ),
    Part(
        "sar-levels",
        20,
        ("translator_options {pairs} --folder {folder} --cases scenes blocks --epochs 5 --seeds {seeds}",),
        (0, 1, 2),
        ("pairs",),
        ("| pairs | seed | linear_sar | `--sar-level keep` |",),
        (),
        read_lines("table.md"),
        longer=True,
    ),
    Part(
        "samson",
        12,
        ("real_spectra --cubes {cubes} --cube samson --folder {folder} --seeds {seeds}",),
        (0, 1, 2),
        ("cubes",),
        ("| seed | stage 1 | stage 2 | both |",),
        (),
        read_lines("said.txt"),
        longer=True,
    ),
    Part(
        "trials",
        0,
        headings=(
            "| stage 1, small network |",
            "| what was trained |",
            "| widths |",
            "| factor |",
            "| guidance |",
            "| kernel distance, demo |",
            "| kernel distance, how it is drawn |",
            "| seed, two threads |",
        ),
        reason="trials by hand, which the text says that no script remakes",
        longer=True,
    ),
)
