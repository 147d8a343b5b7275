"""An exported generator is the generator: read back by others, described so that they can use it, or not there."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from rsforge import durable
from rsforge.data.io.image_writer import to_uint8
from rsforge.data.sar.radiometry import Radiometry
from rsforge.data.scenes.tiling import TileGrid
from rsforge.engine import checkpoint
from rsforge.errors import RsforgeError
from rsforge.models.pix2pix import Pix2PixUNet
from rsforge.recipes.cyclegan.load import load_generator
from rsforge.recipes.export import formats, torch_program
from rsforge.recipes.export import write as export_files
from rsforge.recipes.export.formats import FORMATS, LoadedFile
from tests.worlds.commands import rsforge
from tests.worlds.cyclegan import write_checkpoint

SIDE = 16
DECIBELS = Radiometry("db", -25.0, 5.0)
NAMES = {"sar2optical": ("gen_AB", "sar", "optical"), "optical2sar": ("gen_BA", "optical", "sar")}
ALL = "cyclegan export --checkpoint {} --output-dir {} --json --direction "
FEW = "cyclegan export --checkpoint {} --output-dir {} --formats "


class Exported(NamedTuple):
    """An export of all formats; ``free`` when of any sides."""

    folder: Path
    name: str
    given: str
    made: str
    free: bool
    net: Pix2PixUNet
    card: dict
    result: dict
    stderr: str

    def file(self, suffix: str) -> Path:
        return self.folder / f"{self.name}{suffix}"


def words(values: dict, key: str, **known):
    """What a described formula says, computed as it is written."""
    functions = {"clip": np.clip, "log10": np.log10, "round": np.round}
    return eval(values[key].split("= ", 1)[-1].split(", as")[0], {}, {**functions, **values, **known})


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A checkpoint: towards optical as usual, towards SAR with attention and batch norm."""
    path = tmp_path_factory.mktemp("source") / "best_model.pt"
    state = write_checkpoint(path, image_size=SIDE, sar_channels=2, radiometry=DECIBELS)
    nets = {
        "gen_AB": Pix2PixUNet(in_channels=2, out_channels=3, depth=4, base=4),
        "gen_BA": Pix2PixUNet(in_channels=3, out_channels=2, depth=4, base=4, norm="batch", attention=True),
    }
    with torch.no_grad():
        nets["gen_BA"].attention.gamma.fill_(0.7)
        nets["gen_BA"].train()(torch.rand(4, 3, SIDE, SIDE))
        for net in nets.values():
            net.to_image.weight.mul_(10)
    state["architecture"] |= {name: net.architecture for name, net in nets.items()}
    state["nets"] |= {name: net.state_dict() for name, net in nets.items()}
    checkpoint.save(path, state)
    return path


@contextlib.contextmanager
def capturing(*, free: bool):
    """With a torch that can leave the sides free, or that cannot."""
    either = torch_program._try_capture
    with pytest.MonkeyPatch.context() as patch:
        if not free:
            patch.setattr(torch_program, "_try_capture", lambda own, *, free: None if free else either(own, free=False))
        yield


@pytest.fixture(scope="module", params=list(NAMES))
def exported(request, source, tmp_path_factory) -> Exported:
    (name, given, made), free = NAMES[request.param], request.param == "sar2optical"
    folder = tmp_path_factory.mktemp("exported")
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), capturing(free=free):
        assert rsforge(ALL + request.param, source, folder) == 0
    result, told = (stream.seek(0) or stream.read() for stream in (out, err))
    net, _ = load_generator(source, torch.device("cpu"), request.param)
    card = json.loads((folder / f"{name}.json").read_text())
    return Exported(folder, name, given, made, free, net, card, json.loads(result), told)


def left(folder: Path) -> set[str]:
    """What lies there, less the lock."""
    return {path.name for path in folder.iterdir()} - {durable.LOCK}


def agree(run, net: Pix2PixUNet, *, free: bool = True) -> None:
    """Both make the same of one, of three and, where sides are free, of larger images."""
    torch.manual_seed(1)
    for batch, h, w in [(1, SIDE, SIDE), (3, SIDE, SIDE), (2, 3 * SIDE, 2 * SIDE)][: 3 if free else 2]:
        x = torch.rand(batch, net.in_channels, h, w) * 2 - 1
        made, y = run(x), net(x)
        assert made.shape == y.shape == (batch, net.out_channels, h, w)
        assert float((made - y).abs().max()) <= 1e-4
        assert float(y.std()) > 0.01


def test_safetensors_hold_the_weights_to_the_bit(exported):
    path = exported.file(".safetensors")
    with safe_open(path, "pt") as file:
        header = file.metadata()
    architecture = json.loads(header["architecture"])
    assert architecture.pop("name") == "pix2pix_unet"
    other = Pix2PixUNet(**architecture).eval().requires_grad_(False)
    other.load_state_dict(load_file(path), strict=True)
    for key, weight in exported.net.state_dict().items():
        assert torch.equal(other.state_dict()[key], weight)
    agree(other, exported.net)


def test_the_program_runs_without_the_house(exported):
    extra = {"rsforge.json": ""}
    program = torch.export.load(exported.file(".pt2"), extra_files=extra).module()
    agree(program, exported.net, free=exported.free)
    assert json.loads(extra["rsforge.json"])["source_digest"] == exported.card["source"]["weights"]
    for side in [SIDE + 1] if exported.free else [SIDE + 1, 2 * SIDE]:
        with pytest.raises((AssertionError, RuntimeError), match="16"):
            program(torch.zeros(1, exported.net.in_channels, side, SIDE))


def test_onnx_runs_by_another_runtime(exported):
    session = onnxruntime.InferenceSession(exported.file(".onnx"))
    (given,), (made,) = session.get_inputs(), session.get_outputs()
    assert (given.name, made.name) == (exported.given, exported.made)
    assert given.shape == ["batch", exported.net.in_channels, *(["16*rows", "16*cols"] if exported.free else [16, 16])]
    agree(lambda x: torch.from_numpy(session.run(None, {given.name: x.numpy()})[0]), exported.net, free=exported.free)


def test_onnx_refuses_sides_that_the_network_refuses(exported):
    session = onnxruntime.InferenceSession(exported.file(".onnx"))
    for rows, cols in [(SIDE + 1, SIDE), (SIDE, 2 * SIDE + 1), (SIDE - 1, SIDE), (SIDE + 8, SIDE + 8)]:
        x = np.zeros((1, exported.net.in_channels, rows, cols), np.float32)
        with pytest.raises(Exception, match=r"(?i)reshape|invalid dimensions"):
            session.run(None, {exported.given: x})
    evaluator = onnx.reference.ReferenceEvaluator(str(exported.file(".onnx")))
    if exported.free:
        with pytest.raises(ValueError, match="reshape"):
            evaluator.run(None, {exported.given: x})
    assert "the ONNX and the torch file fail on others" in exported.card["sides"]


def test_files_carry_no_paths_of_the_machine_they_were_made_on(exported):
    for path in exported.folder.iterdir():
        content = path.read_bytes()
        assert b"pix2pix.py" not in content and str(exported.folder).encode() not in content


def test_every_file_says_what_it_is(exported):
    net, card = exported.net, exported.card
    with safe_open(exported.file(".safetensors"), "pt") as file:
        header = file.metadata()
    model = onnx.load(exported.file(".onnx"))
    props = {entry.key: entry.value for entry in model.metadata_props}
    assert {k: v for k, v in header.items() if k != "format"} == props
    assert json.loads(props["architecture"]) == net.architecture == card["architecture"]
    assert json.loads(props["radiometry"]) == DECIBELS.as_dict() == card["radiometry"]
    assert json.loads(props["normalisation"]) == {"input": card["input"], "output": card["output"]}
    assert (json.loads(props["image_size"]), json.loads(props["factor"])) == (SIDE, 16)
    assert props["direction"] == card["direction"] and props["source_digest"] == card["source"]["weights"]
    assert card["source"].keys() == {"checkpoint", "weights", "epoch", "step"}
    assert card["parameters"] == sum(p.numel() for p in net.parameters()) == exported.result["parameters"]
    assert [card[k]["shape"][1] for k in ("input", "output")] == [net.in_channels, net.out_channels]


def test_the_description_lists_the_files_and_what_was_measured(exported):
    rows = {row["format"]: row for row in exported.card["files"]}
    assert list(rows) == ["safetensors", "torch", "onnx"]
    for name, row in rows.items():
        assert row["bytes"] == (exported.folder / row["file"]).stat().st_size
        assert row["largest_difference"] == exported.result["largest_difference"][name] <= 1e-4
        free = exported.free or name == "safetensors"
        assert [shape[0] for shape in row["checked_shapes"]] == ([1, 3, 1] if free else [1, 3])
        assert row["sides"] == exported.result["sides"][name] == ("multiples of 16" if free else "16 only")
    assert rows["safetensors"]["largest_difference"] == 0.0
    assert rows["onnx"]["checked_by"].startswith("onnxruntime") and rows["onnx"]["opset"] >= 18
    assert set(exported.result["files"]) == left(exported.folder)


def test_nothing_of_other_libraries_is_told(exported):
    known = ("generator", "format ", "safetensors", "torch ", "onnx ")
    assert [line for line in exported.stderr.splitlines() if not line.startswith(known)] == []
    assert "[torch.onnx]" not in exported.stderr


def test_described_values_give_the_picture_that_the_house_makes(exported):
    """From raw values to a picture by the description and ONNX alone, and by the library."""
    card, net = exported.card, exported.net
    rng = np.random.default_rng(3)
    raw = rng.integers(0, 256, (net.in_channels, SIDE, SIDE)) if exported.given == "optical" else None
    raw = rng.uniform(-30, 10, (net.in_channels, SIDE, SIDE)) if raw is None else raw.astype(np.uint8)
    values = Radiometry.from_dict(card["input"])
    y = net(torch.from_numpy(values.to_unit(raw))[None])
    x = words(card["input"], "formula", v=raw.astype(np.float32)).astype(np.float32)
    session = onnxruntime.InferenceSession(exported.file(".onnx"))
    made = session.run(None, {exported.given: x[None]})[0]
    assert np.abs(made - y.numpy()).max() <= 1e-4
    if exported.made == "optical":
        picture = words(card["output"], "to_8_bit", y=made[0].transpose(1, 2, 0))
        assert np.abs(picture - to_uint8(y)[0]).max() <= 1 and np.mean(picture == to_uint8(y)[0]) > 0.99
    expected = Radiometry.from_dict(card["output"]).from_unit(y.numpy())
    assert np.abs(words(card["output"], "formula", y=made) - expected).max() <= (0.51 if made.shape[1] == 3 else 1e-2)


def test_onnx_is_checked_by_the_reference_where_the_runtime_is_missing(exported, monkeypatch):
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None)
    loaded = FORMATS["onnx"].load(exported.file(".onnx"))
    assert loaded.slow and loaded.by.startswith("the reference evaluator of onnx")
    agree(loaded.run, exported.net, free=False)


def spoilt(monkeypatch, chosen: str, by) -> None:
    """Have what is read back from files of a format make images that ``by`` changed, their weights being the same."""
    sound = FORMATS["safetensors"]

    def load(path: Path) -> LoadedFile:
        loaded = sound.load(path)
        return loaded._replace(run=lambda x: by(loaded.run(x)))

    monkeypatch.setitem(FORMATS, chosen, sound._replace(suffix=FORMATS[chosen].suffix, load=load))


def nan(y: torch.Tensor) -> torch.Tensor:
    return torch.where(y == y.max(), torch.nan, y)


@pytest.mark.parametrize(
    ("by", "said"),
    [(lambda y: y + 2e-4, "0.0002"), (nan, "nan"), (lambda y: y[..., :-1], "inf"), (lambda y: y[:, :1], "inf")],
)
def test_a_file_that_differs_is_refused_and_nothing_stays(source, tmp_path, monkeypatch, capsys, by, said):
    spoilt(monkeypatch, "torch", by)
    assert rsforge(FEW + "safetensors,torch", source, tmp_path / "out") == 6
    told = capsys.readouterr().err
    assert "RSF-E010" in told and "the torch file does not agree with the model" in told
    assert f"{said}" in told and "0.0001 is allowed" in told
    assert not left(tmp_path / "out")


def test_a_small_difference_is_told_and_kept(source, tmp_path, monkeypatch, capsys):
    spoilt(monkeypatch, "torch", lambda y: y + 5e-5)
    assert rsforge(FEW + "torch --json", source, tmp_path) == 0
    assert json.loads(capsys.readouterr().out)["largest_difference"]["torch"] == pytest.approx(5e-5, rel=0.01)


def test_another_last_bit_in_the_weights_is_refused(source, tmp_path, monkeypatch, capsys):
    encode = FORMATS["safetensors"].encode

    def other(subject, captured):
        first = next(subject.network.parameters())
        kept = first.detach().clone()
        first.view(torch.int32)[0, 0, 0, 0] ^= 1
        encoded = encode(subject, captured)
        first.copy_(kept)
        return encoded

    monkeypatch.setitem(FORMATS, "safetensors", FORMATS["safetensors"]._replace(encode=other))
    assert rsforge(FEW + "safetensors", source, tmp_path) == 6
    assert "does not hold the weights of the model" in capsys.readouterr().err and not left(tmp_path)


def test_a_failed_replacement_leaves_the_earlier_export(source, tmp_path, monkeypatch):
    assert rsforge(FEW + "safetensors", source, tmp_path) == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    spoilt(monkeypatch, "onnx", lambda y: -y)
    line = FEW + "safetensors,onnx --overwrite --direction sar2optical"
    assert rsforge(line, source, tmp_path) == 6
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_earlier_export_stays_unless_it_is_to_be_replaced(source, tmp_path, monkeypatch, capsys):
    spoilt(monkeypatch, "torch", lambda y: y)
    assert rsforge(FEW + "safetensors", source, tmp_path) == 0
    (tmp_path / "mine.txt").write_text("mine")
    assert rsforge(FEW + "torch", source, tmp_path) == 2
    told = capsys.readouterr().err
    assert "RSF-U004" in told and "gen_AB.safetensors" in told and "--overwrite" in told
    assert rsforge(FEW + "torch --overwrite", source, tmp_path) == 0
    assert "removed    gen_AB.safetensors" in capsys.readouterr().err
    assert left(tmp_path) == {"gen_AB.json", "gen_AB.pt2", "mine.txt"}


@pytest.mark.parametrize("description", ["", "[]", '{"files": [{"file": "gen_AB.onnx", "sha256": "0"}]}', None])
def test_overwriting_leaves_what_no_export_wrote(source, tmp_path, capsys, description):
    (tmp_path / "gen_AB.onnx").write_text("mine")
    if description is not None:
        (tmp_path / "gen_AB.json").write_text(description)
    assert rsforge(FEW + "safetensors --overwrite", source, tmp_path) == 0
    assert "warning: gen_AB.onnx stays" in capsys.readouterr().err
    assert (tmp_path / "gen_AB.onnx").read_text() == "mine"


def test_leftovers_of_killed_exports_go_and_no_others(source, tmp_path):
    dead = 99_999_999  # more than the system gives to any process
    others = {f".tmp-{dead}-my-gen_AB.onnx", f".tmp-{dead}-gen_BA.onnx", ".tmp-x-gen_AB.onnx", ".tmp-1-gen_AB.onnx"}
    for name in {f".tmp-{dead}-gen_AB.pt2", f".tmp-{dead}-gen_AB.json", *others}:
        (tmp_path / name).touch()
    assert rsforge(FEW + "safetensors", source, tmp_path) == 0
    assert left(tmp_path) == {"gen_AB.safetensors", "gen_AB.json", *others}


def test_a_place_that_another_export_holds_is_refused(source, tmp_path, monkeypatch, capsys):
    """A lock of the own process would not hinder it."""
    held = RsforgeError("RSF-E003", "in use")

    @contextlib.contextmanager
    def locked(folder):
        assert folder == tmp_path
        raise held
        yield

    monkeypatch.setattr(durable, "lock_folder", locked)
    assert rsforge(FEW + "safetensors", source, tmp_path) == 6
    assert "RSF-E003" in capsys.readouterr().err and not left(tmp_path)


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_missing_packages_are_named_where_onnx_is_asked_for(source, tmp_path, monkeypatch, capsys, package):
    monkeypatch.setitem(sys.modules, package, None)
    assert rsforge(FEW + "safetensors,onnx", source, tmp_path / "out") == 6
    told = capsys.readouterr().err
    assert "RSF-E006" in told and 'pip install "rsforge[export]"' in told and f"package {package}\n" in told
    assert not (tmp_path / "out").exists()
    assert rsforge(FEW + "safetensors", source, tmp_path / "out") == 0


def test_a_network_that_onnx_cannot_hold_is_refused(source, tmp_path, monkeypatch, capsys):
    def broken(*args, **kwargs):
        raise torch.onnx.errors.OnnxExporterError("no such operator")

    monkeypatch.setattr(export_files, "capture", lambda subject: torch_program.CapturedProgram(None, {}, True))
    monkeypatch.setattr(torch.onnx, "export", broken)
    assert rsforge(FEW + "safetensors,onnx", source, tmp_path) == 6
    told = capsys.readouterr().err
    assert "RSF-E010" in told and "no such operator" in told and not left(tmp_path)


def test_a_full_disk_leaves_nothing(source, tmp_path, monkeypatch, capsys):
    def full(operation: str) -> None:
        if operation == "write" and any(path.stat().st_size for path in tmp_path.glob(".tmp-*")):
            raise OSError(errno.ENOSPC, "No space left on device")

    spoilt(monkeypatch, "torch", lambda y: y)
    monkeypatch.setattr(durable, "before_operation", full)
    assert rsforge(FEW + "safetensors,torch", source, tmp_path) == 6
    assert "RSF-E001" in capsys.readouterr().err and not left(tmp_path)


def test_no_format_is_no_export(source, tmp_path, capsys):
    assert rsforge(FEW + "{}", source, tmp_path, "") == 2
    assert "--formats" in capsys.readouterr().err and not left(tmp_path)


def test_too_many_weights_for_one_onnx_file(source, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(export_files, "LARGEST_ONNX", 1000)
    assert rsforge(FEW + "onnx", source, tmp_path / "out") == 2
    told = capsys.readouterr().err
    assert "RSF-U005" in told and "at most 2 GiB" in told and not (tmp_path / "out").exists()
    assert rsforge(FEW + "safetensors", source, tmp_path / "out") == 0


def test_dry_run_checks_and_writes_nothing(source, tmp_path, capsys):
    line = FEW + "onnx,safetensors --dry-run --json"
    assert rsforge(line, source, tmp_path / "out") == 0
    plan = json.loads(capsys.readouterr().out)["plan"]
    assert plan["files"] == ["gen_AB.onnx", "gen_AB.safetensors", "gen_AB.json"]
    assert not (tmp_path / "out").exists()
    assert rsforge(line, tmp_path / "none.pt", tmp_path / "out") == 4
    (tmp_path / "file").write_text("")
    assert rsforge(line, source, tmp_path / "file" / "out") == 6
    assert rsforge(line, source, "/proc/x") == 6
    assert "RSF-E008" in capsys.readouterr().err
    (tmp_path / "gen_AB.json").write_text("")
    assert rsforge(line, source, tmp_path) == 2


def test_tiles_blend_as_the_description_says(exported):
    """Weights computed by the described formula, against the mosaic that translates large images."""
    tiling = exported.card["tiling"]
    side, overlap, how = tiling["tile"], tiling["overlap"], tiling["how"]
    assert (side, overlap) == (SIDE, SIDE // 4)
    formula = how.split("r(d) = ")[1].split(", a raised")[0].replace("clip", "np.clip").replace("sin", "np.sin")

    def r(d):
        return eval(formula, {"np": np, "pi": np.pi, "d": d})

    assert "r(p - m) * (1 - r(p - n))" in how and f"start every {side} - {overlap} pixels" in how
    width = 2 * side + 5
    starts, p = [0, side - overlap, width - side], np.arange(width) + 0.5
    middles = [-np.inf, *((a + b + side) / 2 for a, b in pairwise(starts)), np.inf]
    raw = [r(p - m) * (1 - r(p - n)) for m, n in pairwise(middles)]
    raw = [w * (s <= p) * (p <= s + side) for w, s in zip(raw, starts, strict=True)]
    expected = np.stack(raw) / np.sum(raw, 0)
    for k in range(3):
        tiles = [np.full((1, side, side), float(k == tile), np.float32) for tile in range(3)]
        (found,) = TileGrid(side, width, side, overlap).blend(iter(tiles))
        np.testing.assert_allclose(found[0, 0], expected[k], atol=1e-6)
    assert {"nodata", "mask", "alpha"} <= set(exported.card["input"]["no_data"].replace(",", "").split())


def test_the_same_model_becomes_the_same_file(exported, source, tmp_path):
    assert rsforge(FEW + f"safetensors --direction {exported.card['direction']}", source, tmp_path) == 0
    name = exported.file(".safetensors").name
    assert (tmp_path / name).read_bytes() == exported.file(".safetensors").read_bytes()


@pytest.mark.parametrize(
    ("direction", "unit"),
    [
        ("sar2optical", ("linear", -25, 0)),
        ("sar2optical", ("dn", 0, 4000)),
        ("sar2optical", ("uint8", 0, 255)),
        ("optical2sar", ("linear", -25, 0)),
        ("optical2sar", ("uint8", 0, 255)),
    ],
)
def test_each_unit_is_described_as_it_is_computed(tmp_path, direction, unit):
    """The described formulas, computed as they are written, against the radiometry itself."""
    radiometry = Radiometry(unit[0], *map(float, unit[1:]))
    write_checkpoint(tmp_path / "model.pt", image_size=SIDE, radiometry=radiometry)
    assert rsforge(FEW + f"safetensors --direction {direction}", tmp_path / "model.pt", tmp_path) == 0
    card = json.loads((tmp_path / f"{NAMES[direction][0]}.json").read_text())
    y = np.linspace(-1, 1, 41, dtype=np.float32)
    made = words(card["output"], "formula", y=y)
    made = words(card["output"], "last", v=made) if "last" in card["output"] else made
    values = Radiometry.from_dict(card["output"]).from_unit(y)
    np.testing.assert_allclose(made, values, rtol=1e-5, atol=0.51 if values.dtype == np.uint8 else 1e-3)
    v = np.float32([1e-6, 1e-4, 0.5, 1, 3, 254, 255, 5000])
    first = words(card["input"], "first", v=v) if card["input"]["unit"] == "linear" else v
    x = words(card["input"], "formula", v=first)
    np.testing.assert_allclose(x, Radiometry.from_dict(card["input"]).to_unit(v), atol=1e-6)
