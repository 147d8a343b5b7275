"""Forged checkpoints: digests that match, words and tensors that no training writes."""

# ruff: noqa: E501 - tables of hostile values, one a line

from __future__ import annotations

import contextlib
import copy
import functools
import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from rsforge.engine import checkpoint
from rsforge.engine.checkpoint_tree import find_unusable
from tests.attacks.campaign import HANDLED, ROOT, Attack

RUNS = ROOT / "tests" / "fixtures" / "former_runs"
State = dict[str, Any]
LARGEST = 1 << 24  # bytes of a forged file

INFO = "info forged.pt"
RECONSTRUCT = "vae reconstruct --checkpoint forged.pt --data-dir tiles --device cpu --output drawn.png"
RESUME = "vae train --resume run/latest_model.pt --epochs 3 --num-workers 0 --no-perceptual --device cpu"
SAMPLE = (
    "sample --diffusion-checkpoint forged.pt --vae-checkpoint vae.pt --num-images 1 --ddim-steps 2 --device cpu "
    "--output drawn.png"
)
INHERIT = "diffusion train --vae-checkpoint forged.pt --output-dir out --device cpu --dry-run"
TRANSLATE = "cyclegan translate --checkpoint forged.pt --input pairs/agri/s1 --output made --device cpu"
BASES = {INFO: "vae_vector", RECONSTRUCT: "vae_vector", RESUME: "vae_vector", INHERIT: "vae_vector",
         SAMPLE: "diffusion_vector", TRANSLATE: "cyclegan_pairs"}  # fmt: skip


@functools.cache
def stored(base: str) -> State:
    state: State = torch.load(RUNS / base / "latest_model.pt", weights_only=True)
    del state["digests"]
    return state


def write(state: State, path: Path) -> None:
    """The state with digests that match, where they can be computed: billions of leaves have none."""
    digests: Any = {"metadata": "0" * 64, "tensors": {}}
    if not find_unusable(state, LARGEST):
        with contextlib.suppress(Exception):
            digests = checkpoint._digests(state)
    torch.save({**state, "digests": digests}, path)


def lay_out(place: Path, command: str, state: State) -> None:
    """The forged checkpoint where ``command`` looks for it, with what else the command needs."""
    if command == RESUME:
        (place / "run").mkdir()
        write(state, place / "run" / "latest_model.pt")
    else:
        write(state, place / "forged.pt")
    if command in (RECONSTRUCT, RESUME, INHERIT):
        shutil.copytree(RUNS / "tiles", place / "tiles")
    if command == SAMPLE:
        shutil.copy(RUNS / "vae_vector" / "latest_model.pt", place / "vae.pt")
    if command == TRANSLATE:
        shutil.copytree(RUNS / "pairs", place / "pairs")


def put(*path: Any, value: Any) -> Callable[[State], None]:
    """A change that sets the entry at ``path``."""

    def change(state: State) -> None:
        *parents, last = path
        for key in parents:
            state = state[key]
        state[last] = value

    return change


def leave_out(*names: str) -> Callable[[State], None]:
    def change(state: State) -> None:
        for name in names:
            del state[name]

    return change


def first_weight(state: State, change: Callable[[torch.Tensor], Any]) -> None:
    net = next(iter(state["nets"].values()))
    name = next(iter(net))
    net[name] = change(net[name])


def weight(change: Callable[[torch.Tensor], Any]) -> Callable[[State], None]:
    return lambda state: first_weight(state, change)


def contain_itself(state: State) -> None:
    inner: list[Any] = []
    inner.append(inner)
    state["settings"]["loop"]["epochs"] = inner


def nest(depth: int) -> list[Any]:
    tree: list[Any] = []
    for _ in range(depth):
        tree = [tree]
    return tree


def laugh() -> list[Any]:
    """Ten lists of ten references each: 10^10 leaves in a few bytes."""
    tree: list[Any] = ["ha"] * 10
    for _ in range(9):
        tree = [tree] * 10
    return tree


def alias(state: State) -> None:
    """One storage of 1 MB, thirty thousand times."""
    shared = torch.zeros(1 << 18)
    state["parts"]["own/views"] = {str(i): shared.view(-1) for i in range(30_000)}


WRONG = {
    "null": None, "text": "x", "number": 7, "negative": -1, "float": 1.5, "nan": math.nan, "huge": 10**12,
    "beyond": 1 << 70, "list": [1, [2]], "table": {"a": {"b": 1}}, "tensor": torch.ones(2), "flag": True,
}  # fmt: skip
MOST_TELLING = ("null", "text", "huge", "list", "table")
HEAD: dict[str, tuple[str, ...]] = {
    INFO: ("format", "version", "kind", "architecture", "settings", "given", "progress", "nets", "parts", "partners",
           "latent_mean", "images", "schedule", "latent_shape"),
    RECONSTRUCT: ("architecture", "image_size", "nets", "parts"),
    RESUME: ("settings", "given", "progress", "nets", "parts", "images", "baselines", "partners"),
    INHERIT: ("settings", "image_size", "images"),
    SAMPLE: ("latent_shape", "prediction", "schedule", "latent_mean", "latent_std", "partners", "vae", "conditioning",
             "settings"),
    TRANSLATE: ("architecture", "image_size", "sar_channels", "radiometry", "scaled", "trained"),
}  # fmt: skip
SHAPED = {
    RECONSTRUCT: {
        "channels": [("architecture", "channels", value) for value in ([], [2] * 10**6, [10**9, 4], [-2, 4], "24", [2, [4]])],
        "latent": [("architecture", "latent_dim", value) for value in (0, -4, 10**9, 4.0, "4", [4], None)],
        "size": [("architecture", "image_size", value) for value in (0, 10**9, 17, "16")],
        "network": [("architecture", "name", value) for value in ("os.system", "", 3, "unet", "__class__", ["unet"])],
        "ema": [("parts", "ema", value) for value in ({"shadow": []}, {"shadow": {"autoencoder.x": 1}}, {"shadow": "x"})],
        "best": [("parts", "best", value) for value in ({}, {"figure": "x", "epoch": 1}, {"figure": 1.0, "epoch": "x"})],
    },
    RESUME: {
        "progress": [("progress", key, value) for key in ("step", "epoch", "journal_lines", "shape", "sums", "counted", "finished")
                     for value in (-1, "x", 10**15, [[]], None, {"loss": "x"})],
        "unknown": [("progress", "surprise", 1)],
        "section": [("settings", key, value) for key in ("run", "data", "loop", "optim") for value in (None, [], {"epochs": {}}, "x")],
        "optimizer": [("parts", "optimizer/autoencoder", value) for value in
                      ({"state": {}, "param_groups": []}, {"state": [], "param_groups": {}}, [], {"state": {0: {}}}, 3)],
        "part": [("parts", key, value) for key in ("best", "stopping", "ema", "own/latents", "rate", "scaler")
                 for value in ({"x": 1}, [1], "x")],
        "image": [("images", key, value) for key in ("split", "train") for value in (None, [1], {})],
    },
    SAMPLE: {
        "shape": [("latent_shape", 0, value) for value in (-4, 0, 10**9, "4", 4.0, None, [4])],
        "timesteps": [("schedule", "timesteps", value) for value in (0, -1, 10**10, "20", 1.5, None, [20])],
        "kind": [("schedule", "kind", value) for value in ("sine", 3, None, [1])],
        "spacing": [("schedule", "spacing", value) for value in ("sine", 3, [1])],
        "width": [("architecture", "hidden", value) for value in ([], [10**8] * 4, [16] * 10**5, "x", [0, 0, 0, 0])],
        "rate": [("architecture", "dropout", value) for value in (2.0, -1, "x", None, math.nan)],
        "partner": [("vae", "digest", value) for value in (None, 3, ["x"], {})],
    },
    TRANSLATE: {
        "depth": [("architecture", "gen_AB", "depth", value) for value in (0, -1, 10**6, 40, "5")],
        "base": [("architecture", "gen_AB", "base", value) for value in (0, -1, 10**7, "1")],
        "norm": [("architecture", "gen_AB", "norm", value) for value in ("x", 3, None)],
        "unit": [("radiometry", "unit", value) for value in ("x", 3, None, [1])],
        "bound": [("radiometry", "low", value) for value in ("x", math.nan, math.inf, None, 255.0, 10**400)],
    },
}  # fmt: skip
WEIGHTS: Mapping[str, Callable[[torch.Tensor], Any]] = {
    "sparse": lambda t: t.reshape(-1, 1).to_sparse(),
    "compressed": lambda t: t.reshape(1, -1).to_sparse_csr(),
    "conjugate": lambda t: torch.complex(t, t).conj(),
    "negative": lambda t: torch.complex(t, t).conj().imag,
    "complex": lambda t: torch.complex(t, t),
    "quantized": lambda t: torch.quantize_per_tensor(t.detach(), 0.1, 0, torch.quint8),
    "expanded": lambda t: torch.zeros(1).expand(700_000_000),
    "expanded in shape": lambda t: torch.zeros(1).expand(t.shape),
    "meta": lambda t: t.to("meta"),
    "text": lambda t: "weights",
    "list": lambda t: [1.0, 2.0],
    "nan": lambda t: t * math.nan,
    "integer": lambda t: t.long(),
    "half": lambda t: t.half(),
    "flag": lambda t: t.bool(),
    "empty": lambda t: t[:0],
    "other shape": lambda t: t.reshape(-1),
    "parameter": lambda t: torch.nn.Parameter(t),
}
ODD: Mapping[str, Callable[[State], None]] = {
    "contains itself": contain_itself,
    "nested 200 deep": put("settings", "deep", value=nest(200)),
    "laughs": put("settings", "laugh", value=laugh()),
    "aliased": alias,
    "format 99 without a version": lambda s: (s.update(format=99), s.pop("version"))[0],
    "300,000 keys": put("settings", "wide", value={str(i): i for i in range(300_000)}),
    "keys of all types": put("settings", "mixed", value={1: 1, "1": 2, None: 3, 1.5: 4}),
    "a long name": put("nets", "n" * 10**6, value={}),
    "control letters": put("kind", value="\x1b]0;owned\x07\x1b[2J"),
    "control letters in a version": lambda s: s.update(format=99, version="\x1b[2J"),
}


def forge(name: str, command: str, change: Callable[[State], Any], exits: Any = HANDLED) -> Attack:
    def make(place: Path) -> None:
        state = copy.deepcopy(stored(BASES[command]))
        change(state)
        lay_out(place, command, state)

    return Attack(f"{name}: rsforge {command.split(' --')[0]}", command, make, exits)


def attacks() -> Iterator[Attack]:
    for command, names in HEAD.items():
        for name in names:
            for wrong, value in WRONG.items():
                if command != INFO and wrong not in MOST_TELLING:
                    continue
                yield forge(f"{name} is {wrong}", command, put(name, value=value))
            yield forge(f"without {name}", command, lambda state, name=name: state.pop(name, None))
    for command, groups in SHAPED.items():
        for group, rows in groups.items():
            for i, (*path, value) in enumerate(rows):
                yield forge(f"{group} {i} {path[-1]}", command, put(*path, value=value))
    for command in (INFO, RECONSTRUCT, RESUME, SAMPLE):
        for name, change in WEIGHTS.items():
            yield forge(f"{name} weights", command, weight(change))
        for name, change in ODD.items():
            yield forge(name, command, change)
