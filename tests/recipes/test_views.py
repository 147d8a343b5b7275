"""Images whose meaning stands in their metadata: training, audit and statistics read the same values of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rasterio.enums import ColorInterp

from rsforge.data.io.dataset_card import read_card, write_card
from rsforge.data.splits.contents import find_contents
from rsforge.data.views.view import PairViews, View
from rsforge.errors import RsforgeError
from rsforge.recipes.data import stats
from rsforge.recipes.datasets.image_folder import load_images
from rsforge.recipes.datasets.images_of_checkpoint import open_images
from rsforge.recipes.datasets.pairs import load_pairs
from rsforge.recipes.views import choose_of, describe_views, view_items, views_of
from rsforge.settings.base import RunSettings
from rsforge.settings.data_pairs import StatsSettings
from rsforge.settings.images import TileSettings
from rsforge.settings.pairs import PairTrainingSettings
from rsforge.settings.views import ViewSettings
from tests.worlds import band_files
from tests.worlds.awkward_images import colours, decibels, geotiff, picture, tag_file, write_pair
from tests.worlds.commands import rsforge
from tests.worlds.consoles import RecordingConsole

BGR = (ColorInterp.blue, ColorInterp.green, ColorInterp.red)
S2 = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
COUNT = 6


@pytest.fixture
def console() -> RecordingConsole:
    return RecordingConsole()


def deep(seed: int) -> np.ndarray:
    return colours(seed).astype(np.uint16) * 12


def twelve(seed: int) -> np.ndarray:
    stack = np.zeros((24, 24, 12), np.uint16)
    stack[..., [3, 2, 1]] = colours(seed).astype(np.uint16) * 10 + 1000
    return stack + np.arange(12, dtype=np.uint16)


def nir_as_alpha(root: Path) -> None:
    for k in range(COUNT):
        geotiff(root / f"{k}.tif", np.dstack([colours(k), np.full((24, 24), 90)]).astype(np.uint8))


def extra_band(root: Path) -> None:
    for k in range(COUNT):
        values = np.dstack([colours(k), np.full((24, 24), 90)]).astype(np.uint8)
        geotiff(root / f"s{k}.tif", values, photometric="RGB", alpha="UNSPECIFIED")


def notebook_copies(root: Path) -> None:
    for k in range(COUNT):
        picture(root / f"{k}.png", colours(k))
    picture(root / ".ipynb_checkpoints" / "0-checkpoint.png", colours(9)[..., ::-1])


def webp_among(root: Path) -> None:
    for k in range(COUNT):
        options = {"lossless": True} if k % 2 else {}
        picture(root / f"{k}.{'webp' if k % 2 else 'png'}", colours(k), **options)


def jpeg_2000(root: Path) -> None:
    for k in range(COUNT):
        picture(root / f"T33UXP_2024010{k}T100000_TCI_10m.jp2", colours(k))


def several_pictures(root: Path) -> None:
    for k in range(COUNT):
        small = Image.fromarray(colours(k)[:8, :8, ::-1].copy())
        picture(root / f"{k}.jpg", colours(k), format="MPO", save_all=True, append_images=[small], quality=98)


def infrared_composite(root: Path) -> None:
    """Bands that are read in their order, although their names say other colours: told, and a warning of the audit."""
    for k in range(COUNT):
        geotiff(root / f"{k}.tif", colours(k), names=("NIR", "Red", "Green"))


TILES = [nir_as_alpha, extra_band, notebook_copies, webp_among, jpeg_2000, several_pictures, infrared_composite]
WARNINGS = {several_pictures: {"several": COUNT}, infrared_composite: {"names": COUNT}}


def train(root: Path, console, **options) -> np.ndarray:
    """What training reads, (N, 24, 24, 3) of 8 bits."""
    data = TileSettings(data_dir=str(root), image_size=24, val_fraction=0, overlap_by_content=False, **options)
    sets = load_images(data, RunSettings(output_dir=Path("/nowhere")), console)
    order = sorted(range(len(sets.plain)), key=sets.plain.name)
    images = torch.stack([sets.plain[0, k] for k in order])
    return ((images + 1) * 127.5).round().permute(0, 2, 3, 1).numpy().astype(np.uint8)


@pytest.mark.parametrize("draw", TILES, ids=lambda draw: draw.__name__)
def test_single_images_are_read_as_their_metadata_say(tmp_path, console, draw):
    draw(tmp_path)
    images = train(tmp_path, console)
    assert images.shape == (COUNT, 24, 24, 3)
    loss = 6 if draw is several_pictures else 0  # of the JPEG
    assert np.abs(images.astype(int) - [colours(k) for k in range(COUNT)]).mean() <= loss


@pytest.mark.parametrize("draw", TILES, ids=lambda draw: draw.__name__)
def test_audit_statistics_and_training_read_the_same_values(tmp_path, console, draw):
    root = tmp_path / "data"
    draw(root)
    images = train(root, console).astype(float)
    sides = stats.measure(StatsSettings(data_dir=root), console)["sides"]["image"]
    assert sides["images"] == COUNT and sides["mean"] == pytest.approx(images.mean(), rel=1e-4)
    means = [sides[f"band {k + 1}"]["mean"] for k in range(3)]
    assert means == pytest.approx(images.mean((0, 1, 2)), rel=1e-4)
    assert rsforge("data audit --data-dir {} --output-dir {} -q", root, tmp_path / "out") == 0
    counts = json.loads((tmp_path / "out" / "audit.json").read_text())["counts"]
    assert counts == WARNINGS.get(draw, {})


def test_16_bits_are_refused_until_a_range_is_given(tmp_path, console):
    root = tmp_path / "data"
    for k in range(COUNT):
        geotiff(root / "colour" / f"{k}.tif", deep(k))
        picture(root / "grey" / f"grey{k}.png", deep(k)[..., 0])
    with pytest.raises(RsforgeError, match="12 images cannot be read") as refused:
        train(root, console)
    assert "--range LOW HIGH, or --range percentile" in refused.value.fix
    assert np.array_equal(train(root, console, range=(0, 255 * 12))[:COUNT], [colours(k) for k in range(COUNT)])
    stretched = train(root, console, range=("percentile",))
    assert (stretched == 0).mean() < 0.05 and (stretched == 255).mean() < 0.05 and np.ptp(stretched) == 255
    assert rsforge("data audit --data-dir {} --output-dir {} -q", root, tmp_path / "out") == 3
    assert json.loads((tmp_path / "out" / "audit.json").read_text())["counts"] == {"range": 12}
    assert rsforge("data audit --data-dir {} --output-dir {} --range percentile -q", root, tmp_path / "out") == 0


def test_images_that_are_not_read_are_named_by_training(tmp_path, console):
    notebook_copies(tmp_path)
    (tmp_path / "a.heic").touch()
    train(tmp_path, console)
    assert console.has_line("left out 1 image of kinds that are not read (.heic): a.heic")


def test_checkpoints_say_how_images_are_measured(tmp_path, console):
    for k in range(COUNT):
        geotiff(tmp_path / f"{k}.tif", deep(k))
    data = TileSettings(data_dir=str(tmp_path), image_size=24, val_fraction=0, range=("percentile",))
    trained = load_images(data, RunSettings(output_dir=Path("/nowhere")), console)
    state = {"images": trained.identity, "settings": {"data": data.model_dump(mode="json")}}
    again = open_images(str(tmp_path), 24, console, state=state)
    names = {trained.plain.name(k): trained.plain[0, k] for k in range(COUNT)}
    assert all(torch.equal(again[0, k], names[again.name(k)]) for k in range(COUNT))
    other = open_images(str(tmp_path), 24, console, state=state, data=ViewSettings(range=(0, 60_000)))
    assert other[0, 0].max() < -0.8


def load(root: Path, console, **options):
    data = PairTrainingSettings(
        data_dir=str(root), image_size=32, val_fraction=0, allow_leak=True, overlap_by_content=False, **options
    )
    return load_pairs(data, RunSettings(output_dir=Path("/nowhere")), console)


def pair(sets, name: str):
    """SAR and optical image of a training pair."""
    index = next(k for k in range(len(sets.plain)) if sets.plain.name(k) == name)
    return sets.plain[0, index]


def write_pairs(root: Path, **options) -> None:
    for k in range(COUNT):
        write_pair(root, f"p{k}", decibels(k), colours(k)[..., ::-1], **options)


@pytest.mark.parametrize("said", [{"interp": BGR, "photometric": "MINISBLACK"}, {"names": ("B02", "B03", "B04")}])
@pytest.mark.parametrize("unpaired", [False, True])
def test_blue_first_is_trained_on_as_red_first(tmp_path, console, said, unpaired):
    write_pairs(tmp_path, **said)
    sets = load(tmp_path, console, unpaired=unpaired)
    optical = torch.stack([sets.plain[0, k][1] for k in range(COUNT)])
    red, green, blue = optical.mean((0, 2, 3)).tolist()
    assert red > green > blue and console.has_line("red, green, blue are the bands 3,2,1 in 6 of 6")


def test_swapped_polarisations_are_put_in_order_and_stored(tmp_path, console):
    for k in range(COUNT):
        vv, names = decibels(k), ("VV", "VH") if k % 2 else ("VH", "VV")
        bands = (vv, vv - 2) if k % 2 else (vv - 2, vv)
        write_pair(tmp_path, f"p{k}", np.dstack(bands), colours(k), sar_names=names)
    sets = load(tmp_path, console)
    for k in range(COUNT):
        vv, vh = pair(sets, f"p{k}")[0]
        assert (vv - vh).mean() == pytest.approx(2 / 25 * 2, abs=0.01)
    assert sets.identity["views"]["sar"] == {"bands": ["vv", "vh"]}
    assert views_of({"images": sets.identity}).sar == View(bands=("vv", "vh"))


def test_twelve_named_bands_are_trained_on_in_a_range(tmp_path, console):
    for k in range(COUNT):
        write_pair(tmp_path, f"p{k}", decibels(k), twelve(k), names=S2, nodata=0)
    with pytest.raises(RsforgeError, match="6 of 6 pairs") as refused:
        load(tmp_path, console)
    assert refused.value.code == "RSF-D010" and "--range" in refused.value.fix
    sets = load(tmp_path, console, range=(1000, 3550))
    red, green, blue = pair(sets, "p0")[1].mean((1, 2)).tolist()
    expected = colours(0).mean((0, 1)) / 127.5 - 1
    assert [red, green, blue] == pytest.approx(expected, abs=0.02)
    assert sets.identity["views"]["optical"] == {"span": [1000.0, 3550.0]}
    infrared = load(tmp_path, console, range=("percentile",), bands=("B8A", "4", "560nm"))
    assert infrared.identity["views"]["optical"]["bands"] == ["B8A", "4", "560nm"]


def outside(root: Path) -> None:
    for k in range(COUNT):
        sar = decibels(k)
        sar[:, :8] = 0
        write_pair(root, f"p{k}", sar, colours(k))


def test_undeclared_fill_is_told_by_every_command_and_left_out_when_it_is_given(tmp_path, console):
    root, out = tmp_path / "data", tmp_path / "out"
    outside(root)
    sets = load(root, console)
    assert console.has_line("--fill 0 leaves it out") and sets.plain[0, 0][0].max() == 1
    assert rsforge("data audit --data-dir {} --output-dir {} -q", root, out) == 3
    told = json.loads((out / "audit.json").read_text())
    assert told["counts"] == {"fill": COUNT} and told["faults"][0]["figures"]["value"] == 0
    assert rsforge("data audit --data-dir {} --output-dir {} --fill 0 -q", root, out) == 0
    masked = load(root, console, fill=0).plain[0, 0][0]
    assert (masked[0, :, :8] == -1).all() and masked[0, :, 16:].min() > -1
    figures = stats.measure(StatsSettings(data_dir=root, fill=0), console)["sides"]["sar"]
    assert figures["max"] < -5 and figures["mean"] < -10


def test_scaled_integers_are_decibels_and_their_unit_is_believed(tmp_path, console):
    for k in range(COUNT):
        stored = np.round(decibels(k) * 100).astype(np.int16)
        geotiff(tmp_path / "s1" / f"p{k}.tif", stored, scale=(0.01, 0.0))
        geotiff(tmp_path / "s2" / f"p{k}.tif", colours(k))
    sets = load(tmp_path, console)
    assert sets.radiometry.unit == "db" and console.has_line("scale 0.01 and offset 0 in 6")
    expected = (decibels(0).mean() + 25) / 12.5 - 1
    assert float(pair(sets, "p0")[0].mean()) == pytest.approx(expected, abs=0.02)


def test_baselines_are_brought_together_by_their_tags_or_told(tmp_path, console):
    root = tmp_path / "data"
    for k in range(2 * COUNT):
        values = deep(k % COUNT) + np.uint16(200 + 1000 * (k % 2))
        write_pair(root, f"p{k:02}", decibels(k), values)
    line = "data audit --data-dir {} --output-dir {} --range 0 5000 --no-overlap-by-content -q"
    assert rsforge(line, root, tmp_path / "out") == 3
    counts = json.loads((tmp_path / "out" / "audit.json").read_text())["counts"]
    assert counts["baseline"] == COUNT
    for k in range(1, 2 * COUNT, 2):
        tag_file(root / "s2" / f"p{k:02}.tif", PROCESSING_BASELINE="04.00")
    sets = load(root, console, range=(0, 5000))
    means = [pair(sets, f"p{k:02}")[1].mean().item() for k in range(4)]
    assert means[0] != means[1] and console.has_line("offset -1000 in 6 of 12")
    first = [values.mean() for values in ((deep(k) + 200.0) / 2500 - 1 for k in (0, 1))]
    assert means[0] == pytest.approx(first[0], abs=0.01) and means[1] == pytest.approx(first[1], abs=0.01)


def test_the_card_of_a_data_set_says_how_it_is_read(tmp_path, console):
    for k in range(COUNT):
        write_pair(tmp_path, f"p{k}", decibels(k), twelve(k), names=S2)
    views = PairViews(View(fill=0.0), View(span=(1000.0, 3550.0)))
    write_card(tmp_path, "pairs", **describe_views(views))
    sets = load(tmp_path, console)
    assert sets.identity["views"] == views.as_dict()
    contents = view_items(find_contents(tmp_path), StatsSettings(data_dir=tmp_path), console)
    assert contents.items[0].views == (views.sar, views.optical)


def test_checkpoints_of_before_read_bands_as_they_were_stored():
    before = {"settings": {"data": {"data_dir": "x"}}, "images": {}}
    assert views_of(before).sar.as_stored and views_of(before).optical.as_stored
    assert views_of({"settings": {"data": {"fill": None}}, "images": {}}) == PairViews()
    assert choose_of(View(as_stored=True), ("2",), 0.0) == View(("2",), fill=0.0)


def test_cut_patches_keep_the_order_of_their_colours_and_store_the_range(tmp_path, console):
    scene = tmp_path / "scene"
    big = colours(3, 64)
    geotiff(scene / "s1.tif", decibels(3, 64))
    geotiff(scene / "s2.tif", big[..., ::-1].astype(np.uint16), names=("B02", "B03", "B04"))
    line = "data tile --sar {} --optical {} --output-dir {} --size 32 --range 0 255"
    assert rsforge(line, scene / "s1.tif", scene / "s2.tif", tmp_path / "cut") == 0
    assert read_card(tmp_path / "cut")["views"]["optical"] == {"span": [0.0, 255.0]}
    sets = load(tmp_path / "cut", console)
    expected = big[:32, :32].mean((0, 1)) / 127.5 - 1
    assert sets.plain[0, 0][1].mean((1, 2)).tolist() == pytest.approx(expected, abs=0.02)
    assert rsforge(f"{line} --bands 1,2,3", scene / "s1.tif", scene / "s2.tif", tmp_path / "numbered") == 0
    sets = load(tmp_path / "numbered", console)
    assert sets.plain[0, 0][1].mean((1, 2)).tolist() == pytest.approx(expected[::-1], abs=0.02)


def test_declared_colours_of_8_bits_survive_the_cut(tmp_path, console):
    scene = tmp_path / "scene"
    geotiff(scene / "s1.tif", decibels(3, 64))
    geotiff(scene / "s2.tif", colours(3, 64)[..., ::-1], interp=BGR, photometric="MINISBLACK")
    line = "data tile --sar {} --optical {} --output-dir {} --size 32"
    assert rsforge(line, scene / "s1.tif", scene / "s2.tif", tmp_path / "cut") == 0
    red, green, blue = load(tmp_path / "cut", console).plain[0, 0][1].mean((1, 2)).tolist()
    assert red > green > blue


def test_files_of_one_band_are_read_as_one_image_and_said(tmp_path, console):
    band_files.pairs(tmp_path)
    sets = load(tmp_path, console, range=("0", "500"))
    assert sets.train[0, 0][0].shape[0] == 2 and sets.identity["views"]["sar"] == {"bands": ["vv", "vh"]}
    assert console.has_line("read as one image: VV, VH in 3 of 3")
    assert console.has_line("B05 is left out: the pixels lie on another grid")


def test_a_set_that_lacks_a_band_is_named_with_it(tmp_path, console):
    band_files.pairs(tmp_path)
    (tmp_path / "s1" / "p1_VH.tif").unlink()
    with pytest.raises(RsforgeError) as refused:
        load(tmp_path, console, range=("0", "500"))
    assert "p1_{VV}.tif" in refused.value.found and "no band 'vh'" in refused.value.found
    assert refused.value.fix.startswith("add the file of the band to its set, or name with --sar-bands")
    assert load(tmp_path, console, range=("0", "500"), sar_bands=("vv",)).identity["train"] == 3


def test_the_audit_names_what_lies_beside_bands(tmp_path, console):
    band_files.pairs(tmp_path)
    band_files.radar(tmp_path / "s1", "{stem}_{band}_map.tif", stem="p1", bands=("inc",))
    contents = find_contents(tmp_path)
    assert contents.unclaimed_files == ["s1/p1_inc_map.tif"]
