"""Hostile words: tables, settings files, cards and splits of data sets, weight files, file names and links."""

# ruff: noqa: E501 - tables of hostile values, one a line

from __future__ import annotations

import json
import os
import pickle  # noqa: TID251 - what a hostile file holds is made here
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from tests.attacks.campaign import HANDLED, REFUSED, Attack
from tests.attacks.checkpoints import RUNS
from tests.attacks.files import AUDIT, TABLE, TRAIN, encode, tiles

CONFIG = f"{TRAIN} --config a"
SPLIT = "cyclegan train --data-dir pairs --image-size 32 --base-width 1 --lambda-content 0 --num-workers 0 --device cpu --dry-run"
RUN = "vae train --resume run/latest_model.pt --epochs 3 --num-workers 0 --no-perceptual --device cpu"
FRESH = "vae train --data-dir tiles --image-size 16 --channels 2,4 --latent-dim 4 --epochs 1 --no-perceptual --num-workers 0 --device cpu --output-dir run --overwrite"
WEIGHTS = (
    "vae train --data-dir tiles --image-size 16 --num-workers 0 --device cpu --dry-run --perceptual --vgg-weights a"
)

DEEP = "[" * 100_000
WRONG = (None, 3, "x", [1], {"a": 1}, {"version": [], "sets": 3}, {"files": {"../../secret.txt": "x"}})
TABLES: dict[str, bytes] = {
    "no tab": b"a.png caption\n", "only a name": b"a.png\n", "nothing": b"", "no words": b"a.png\t\n",
    "a path outside": b"../secret.txt\tx\n", "an absolute path": b"/etc/hostname\tx\n", "a path of windows": b"..\\..\\secret.txt\tx\n",
    "a name with a null": b"a\0.png\tx\n", "not UTF-8": b"\xff\xfe\xfa\tx\n", "a line of 32 MiB": b"a.png\t" + b"x" * (32 << 20),
    "many lines": b"0001_0001.png\tx\n" * 10_000, "control letters": b"a\x1b[2J.png\t\x1b]0;x\x07\n",
    "a URL": b"http://127.0.0.1:9/a.png\tx\n", "a device": b"/dev/zero\tx\n", "UTF-16": "a.png\tx\n".encode("utf-16"),
    "a formula": b"=cmd|' /C calc'!A0\tx\n", "quotes that stay open": b'"0001_0001.png\tx\n',
}  # fmt: skip
SETTINGS: dict[str, bytes] = {
    "a.json": b"{", "b.json": DEEP.encode(), "c.json": b'{"epochs": NaN}', "d.json": b'{"epochs": 1, "epochs": 2}',
    "e.json": b'{"epochs": 1e999}', "f.json": b"[1]", "g.json": b"null", "h.json": b"\xff\xfe", "i.json": b'{"__class__": "os.system"}',
    "j.json": b'{"epochs": ' + b"9" * 5000 + b"}", "k.json": json.dumps({"a" * 10**6: 1}).encode(), "l.json": b'{"data": {"data_dir": ["x"]}}',
    "a.yaml": b"!!python/object/apply:os.system ['touch ../ran']", "b.yaml": b"a: &a [x]\n" + b"".join(b"b%d: &b%d [%s]\n" % (i, i, b", ".join([b"*b%d" % (i - 1) if i else b"*a"] * 10)) for i in range(12)),
    "c.yaml": b"epochs: *nowhere", "d.yaml": b"a: &a [*a]", "e.yaml": b"- 1\n- 2", "f.yaml": b"epochs: !!binary x", "g.yaml": b"? [a]\n: 1",
    "h.yaml": DEEP[:3000].encode(), "i.yaml": b"epochs: 2026-01-01", "a.toml": b"epochs = ", "b.toml": b"epochs = " + DEEP[:5000].encode(),
    "c.toml": b"\0", "d.toml": b"[data]\n[data]\n", "e.toml": b'"" = 1', "a.txt": b"epochs: 1", "b": b"x",
}  # fmt: skip


def safetensors(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


class Bomb:
    def __reduce__(self) -> Any:
        return os.mkdir, ("../ran",)


def saved(value: Any, **options: Any) -> Callable[[Path], Any]:
    return lambda path: torch.save(value, path, **options)


WEIGHT_FILES: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "a pickle": (".pth", lambda path: path.write_bytes(pickle.dumps(Bomb()))),
    "a pickle in an archive": (".pth", saved(Bomb())), "a legacy pickle": (".pth", saved(Bomb(), _use_new_zipfile_serialization=False)),
    "a pickle called safetensors": (".safetensors", lambda path: path.write_bytes(pickle.dumps(Bomb()))),
    "a list": (".pth", saved([1, 2])), "text for a tensor": (".pth", saved({"features.0.weight": "x"})),
    "an expanded tensor": (".pth", saved({"features.0.weight": torch.zeros(1).expand(700_000_000)})),
    "a sparse tensor": (".pth", saved({"features.0.weight": torch.eye(3).to_sparse()})), "numbers for names": (".pth", saved({1: torch.ones(1)})),
    "nothing": (".safetensors", lambda path: path.write_bytes(b"")), "nothing saved": (".pth", lambda path: path.write_bytes(b"")),
    **{f"safetensors {i}": (".safetensors", lambda path, data=data: path.write_bytes(data)) for i, data in enumerate((
        struct.pack("<Q", 2**63) + b"{}", struct.pack("<Q", 10**9) + b"{}", safetensors(b"{"), safetensors(b"[]"), safetensors(DEEP.encode()),
        safetensors({"w": {"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 4]}}, bytes(4)),
        safetensors({"w": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, bytes(4)),
        safetensors({"w": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}, bytes(4)),
        safetensors({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 2**60]}}, bytes(4)),
        safetensors({"w": {"dtype": "X9", "shape": [1], "data_offsets": [0, 4]}}, bytes(4)),
        safetensors({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, bytes(4)), safetensors({"w": 3}), safetensors({"__metadata__": 3}),
    ))},
}  # fmt: skip
NAMES = ("-rf.png", "a\nb.png", "a\x1b[2J.png", " .png", "%s%n.png", "$(touch ran).png", "é\u202e.png", "x" * 240 + ".png", "con.png",
         "a;b.png", "'\".png", "{}.png", "\udcff.png", "a\\b.png", "<img src=x onerror=alert(1)>.png")  # fmt: skip


def pairs(place: Path) -> Path:
    shutil.copytree(RUNS / "pairs", place / "pairs")
    return place / "pairs"


def run(place: Path) -> Path:
    tiles(place)
    shutil.copytree(RUNS / "vae_vector", place / "run")
    return place / "run"


def in_folder(lay: Callable[[Path], Path], name: str, contents: bytes) -> Callable[[Path], Any]:
    return lambda place: (lay(place) / name).write_bytes(contents)


def with_link(lay: Callable[[Path], Path], name: str, target: str) -> Callable[[Path], Any]:
    def make(place: Path) -> None:
        path = lay(place) / name
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    return make


def with_pipe(lay: Callable[[Path], Path], name: str) -> Callable[[Path], Any]:
    def make(place: Path) -> None:
        path = lay(place) / name
        path.unlink(missing_ok=True)
        os.mkfifo(path)

    return make


def empty_run(place: Path) -> Path:
    tiles(place)
    (place / "run").mkdir()
    return place / "run"


def attacks() -> Iterator[Attack]:
    for name, data in TABLES.items():
        yield Attack(
            f"table: {name}",
            TABLE,
            lambda place, data=data: (tiles(place), (place / "captions.txt").write_bytes(data)),
            HANDLED,
        )
    for name, data in SETTINGS.items():
        yield Attack(
            f"settings: {name}",
            f"{CONFIG.removesuffix('a')}{name}",
            in_folder(lambda place: (tiles(place), place)[1], name, data),
            HANDLED,
        )
    for name, (suffix, write) in WEIGHT_FILES.items():
        yield Attack(
            f"weights: {name}",
            WEIGHTS + suffix,
            lambda place, write=write, suffix=suffix: (tiles(place), write(place / f"a{suffix}")),
            HANDLED,
        )
    for file in ("dataset.json", "split.json", "data_agri.csv"):
        texts = [json.dumps(value).encode() for value in WRONG] + [
            b"",
            b"{",
            DEEP.encode(),
            b"\xff\xfe",
            b'{"a": 1e999}',
            b"x,y\n1\n" * 9,
        ]
        for i, text in enumerate(texts):
            for command in (AUDIT, SPLIT):
                yield Attack(f"{file} {i}: {command[:14]}", command, in_folder(pairs, file, text), HANDLED)
    for file in ("settings.json", "journal.jsonl", "timing.jsonl"):
        for i, text in enumerate(
            (
                b"",
                b"{",
                b"[1]\n",
                b"null\n",
                DEEP.encode(),
                b"\xff\n",
                b'{"step": "x"}\n' * 9,
                b'{"step": 1e999, "closed": true}\n',
            )
        ):
            yield Attack(f"{file} {i}", RUN, in_folder(run, file, text), HANDLED)
    for name in NAMES:
        yield Attack(f"name {name!r}", TRAIN, in_folder(tiles, name, encode("PNG")), HANDLED)
        yield Attack(f"name {name!r} that is torn", TRAIN, in_folder(tiles, name, b"x"), HANDLED)
    for name in ("x.png", "x.tif", "x", "dataset.json", "classes.txt"):
        for target in ("../../secret.txt", "/dev/zero", "/etc/hostname", name, "..", "nowhere", "/proc/self/mem"):
            yield Attack(f"link {name} to {target}", TRAIN, with_link(tiles, name, target), HANDLED)
        yield Attack(f"pipe {name}", TRAIN, with_pipe(tiles, name), HANDLED)
    for name in (
        ".lock",
        "journal.jsonl",
        "timing.jsonl",
        "settings.json",
        "latest_model.pt",
        "samples",
        "logs",
        "training_losses.png",
    ):
        for target in ("../../secret.txt", "../..", name, "/dev/full"):
            yield Attack(f"output {name} is a link to {target}", FRESH, with_link(empty_run, name, target), HANDLED)
        yield Attack(f"output {name} is a pipe", FRESH, with_pipe(empty_run, name), HANDLED)
    yield Attack(
        "a checkpoint that is a link to itself", "info a.pt", lambda place: (place / "a.pt").symlink_to("a.pt"), REFUSED
    )
    yield Attack("a checkpoint that is a pipe", "info a.pt", lambda place: os.mkfifo(place / "a.pt"), REFUSED)
    yield Attack(
        "a run folder that is a link to itself",
        FRESH,
        lambda place: (tiles(place), (place / "run").symlink_to("run")),
        REFUSED,
    )
