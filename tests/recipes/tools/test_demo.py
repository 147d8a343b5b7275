"""The demo in miniature, end to end."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from rsforge.errors import RsforgeError
from rsforge.recipes.tools import demo
from rsforge.recipes.tools.demo_figures import save_strip
from rsforge.recipes.tools.demo_options import DIFFUSION_OPTIONS, TRANSLATOR_OPTIONS, VAE_OPTIONS, Plan
from rsforge.settings.tools import DemoSettings
from tests.worlds.consoles import RecordingConsole

SMALL = Plan(
    scenes=20,
    unseen=11,
    image_size=16,
    vae={**VAE_OPTIONS, "channels": (32, 32)},
    vae_steps=5,
    diffusion={**DIFFUSION_OPTIONS, "channels": (32, 64), "batch_size": 8},
    diffusion_steps=6,
    translator={**TRANSLATOR_OPTIONS, "image_size": 32, "base_width": 4},
    translator_steps=2,
    images=4,
    ddim_steps=2,
)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    output = tmp_path_factory.mktemp("demo") / "<b>&run"
    console = RecordingConsole()
    settings = DemoSettings(output_dir=output, device="cpu", seed=5, translator=True)
    return output, console, demo.run(settings, console, SMALL)


def test_everything_is_there(done):
    output, console, told = done
    names = {p.name for p in output.iterdir()} - {".lock"}
    assert names == set(demo.OWN)
    assert told["steps"] == told["planned_steps"] == {"autoencoder": 5, "diffusion": 6, "translator": 2}
    stages = ["scenes", "autoencoder", "diffusion", "samples", "translator", "report"]
    assert list(told["stages"]) == stages
    assert [line for line in console.said if line[0].isdigit()] == [f"{i}/6 {name}" for i, name in enumerate(stages, 1)]
    assert sum(told["stages"].values()) == pytest.approx(told["seconds"], abs=1.0)


def test_the_report_is_one_file(done):
    output, _, told = done
    text = (output / "report.html").read_text()
    assert told["report"] == str(output / "report.html")
    assert len(text) < 3_000_000

    class Page(HTMLParser):
        sources, tags = [], []

        def handle_starttag(self, tag, attrs):
            self.tags.append(tag)
            self.sources += [value for name, value in attrs if name in ("src", "href", "srcset", "data")]

    Page().feed(text)
    assert len(Page.sources) == 6
    assert all(source.startswith("data:image/png;base64,") for source in Page.sources)
    assert not {"script", "link", "iframe", "b>&run"} & set(Page.tags)
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)
    assert "<b>&run" not in text and "&lt;b&gt;&amp;run" in text
    assert Page.tags.count("svg") == 2


def test_the_strip_shows_pairs_translations_and_samples(done):
    output, _, _ = done
    with Image.open(output / "strip.png") as strip:
        assert strip.mode == "P" and strip.size[0] < 900
        assert strip.size[1] > 4 * 128  # SAR, optical, translated, samples
    assert (output / "strip.png").stat().st_size < 150_000


def test_the_strip_without_a_translator_shows_scenes(done, tmp_path):
    output, _, _ = done
    for name in ("tiles", "samples_individual"):
        (tmp_path / name).symlink_to(output / name)
    save_strip(tmp_path, generators=None, seed=0)
    with Image.open(tmp_path / "strip.png") as strip:
        assert 2 * 128 < strip.size[1] < 3 * 128


def test_the_figures_are_those_of_the_recipes(done):
    _, _, told = done
    vae = told["autoencoder"]
    assert vae["psnr_db"] == pytest.approx(10 * math.log10(4 / vae["mse"]), abs=0.01)
    assert 0 < told["samples"]["unseen_nearest_mse"] < 4
    assert told["diffusion"]["best_epoch"] in (1, 2)


def test_a_second_demo_needs_overwrite(done):
    output, _, _ = done
    with pytest.raises(RsforgeError) as refused:
        demo.run(DemoSettings(output_dir=output, device="cpu"), RecordingConsole(), SMALL)
    assert refused.value.code == "RSF-U004"


def test_dry_run_writes_nothing(tmp_path):
    output = tmp_path / "demo"
    told = demo.run(DemoSettings(output_dir=output, device="cpu"), RecordingConsole(dry_run=True), SMALL)
    assert not output.exists()
    assert told["autoencoder"].startswith("rsforge vae train")


def test_an_interruption_tells_both_ways_on(tmp_path, monkeypatch):
    def stopped(settings, console):
        raise RsforgeError("RSF-I130", "stopped", fix=f"{console.command} --resume")

    monkeypatch.setattr(demo.vae_train, "train", stopped)
    with pytest.raises(RsforgeError) as error:
        demo.run(DemoSettings(output_dir=tmp_path, device="cpu"), RecordingConsole(), SMALL)
    assert "rsforge vae train" in error.value.fix and "--resume" in error.value.fix
    assert error.value.fix.endswith("rsforge --overwrite for the whole demo")
