"""What a checkpoint is said to be, against what went into it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from rsforge import __version__
from rsforge.cli.main import run
from rsforge.engine import checkpoint
from rsforge.engine.ema import ExponentialMovingAverage
from rsforge.errors import RsforgeError
from rsforge.models.adapter import Adapter
from rsforge.models.latent_mlp import LatentMlp
from rsforge.models.vector_vae import VectorVae
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.diffusion.load import load_denoiser
from rsforge.recipes.tools.info import describe
from rsforge.recipes.training import output_dir
from rsforge.recipes.vae.load import load_autoencoder
from rsforge.settings.diffusion import DiffusionTrainSettings
from rsforge.settings.tools import InfoSettings
from rsforge.settings.vae import VaeTrainSettings

CPU = torch.device("cpu")
IMAGES = {"split": "abc", "train": 27, "held_out": 3}


def told(path: Path):
    return describe(InfoSettings(checkpoint=path), SilentConsole())


def run_state(nets, *, ema=True, figure=0.5, **parts):
    average = ExponentialMovingAverage(nets, decay=0.9)
    with torch.no_grad():
        for shadow in average.shadow.values():
            shadow.mul_(0.5).add_(0.1)
    return {
        "progress": {"step": 12, "epoch": 4, "journal_lines": 3, "finished": "", "sums": {}},
        "nets": {name: net.state_dict() for name, net in nets.items()},
        "parts": {
            "ema": average.state_dict() if ema else {},
            "best": {"figure": figure, "epoch": 2},
            "scaler": {},
            **parts,
        },
    }


def vae_state(settings=None, given=("data_dir",), **options):
    settings = settings or VaeTrainSettings(data={"data_dir": "tiles"})
    network = VectorVae(image_size=16, latent_dim=4, channels=(8, 16))
    statistics = {"mean": torch.tensor([-1.0, 0.0, 2.0, 0.5]), "std": torch.tensor([1.0, 0.25, 1.0, 3.0])}
    identity = {
        "kind": "vae",
        "architecture": network.architecture,
        "image_size": 16,
        "settings": output_dir.plain(settings),
        "given": list(given),
        "images": IMAGES,
    }
    return {**identity, **run_state({"autoencoder": network}, **{"own/latents": statistics}, **options)}, network


def saved(path: Path, state) -> Path:
    checkpoint.save(path, state)
    return path


@pytest.fixture
def vae(tmp_path) -> Path:
    return saved(tmp_path / "vae.pt", vae_state()[0])


@pytest.fixture
def diffusion(tmp_path, vae) -> Path:
    network = LatentMlp(latent_dim=4, hidden=(8, 8), time_dim=8)
    _, partner = load_autoencoder(vae, CPU)
    settings = DiffusionTrainSettings(
        data={"data_dir": "tiles"}, denoiser={"vae_checkpoint": "vae.pt", "prediction": "v", "zero_terminal_snr": True}
    )
    identity = {
        "kind": "diffusion",
        "architecture": network.architecture,
        "image_size": 16,
        "latent_shape": (4,),
        "prediction": "v",
        "schedule": {"kind": "linear", "timesteps": 1000, "zero_terminal_snr": True},
        "latent_mean": torch.tensor([[[-0.5]], [[1.5]]]),
        "latent_std": torch.tensor([[[2.0]], [[3.0]]]),
        "partners": {"vae": {"digest": partner.digest, "path": "vae.pt"}},
        "settings": output_dir.plain(settings),
        "given": ["data_dir", "prediction", "vae_checkpoint", "zero_terminal_snr"],
        "images": IMAGES,
    }
    return saved(tmp_path / "diffusion.pt", {**identity, **run_state({"denoiser": network})})


def test_an_autoencoder(vae):
    found = told(vae)
    _, network = vae_state()
    assert json.loads(json.dumps(found)) == found
    assert (found["kind"], found["format"], found["rsforge"]) == ("vae", checkpoint.FORMAT, __version__)
    assert (found["epoch"], found["step"], found["image_size"]) == (4, 12, 16)
    assert found["best"] == {"epoch": 3, "figure": 0.5}
    assert found["architecture"]["name"] == "vector_vae" and found["architecture"]["channels"] == [8, 16]
    assert found["parameters"] == sum(p.numel() for p in network.parameters())
    assert found["parameters"] < sum(t.numel() for t in network.state_dict().values()), "buffers are no parameters"
    assert found["images"] == IMAGES
    assert found["latents"] == {"channels": 4, "mean_range": [-1.0, 2.0], "std_range": [0.25, 3.0]}
    assert found["nets"] == ["autoencoder"] and found["parts"] == ["best", "ema", "own/latents"]
    assert found["file_mib"] == pytest.approx(vae.stat().st_size / 2**20, abs=1e-3)
    assert found["settings"] == {"data_dir": "tiles"}
    assert not found.keys() & {"partners", "prediction", "schedule", "latent_shape", "stopped", "made_by"}


def test_a_best_model_that_is_the_start_is_of_step_0(tmp_path):
    state, _ = vae_state(best={"figure": 0.5, "epoch": -1, "step": 0, "comparable": True})
    assert told(saved(tmp_path / "vae.pt", state))["best"] == {"epoch": 0, "step": 0, "figure": 0.5}


def test_a_denoiser(diffusion, vae):
    found = told(diffusion)
    assert json.loads(json.dumps(found)) == found
    assert (found["kind"], found["prediction"], found["latent_shape"]) == ("diffusion", "v", [4])
    assert found["schedule"] == {"kind": "linear", "timesteps": 1000, "zero_terminal_snr": True}
    assert found["latents"] == {"channels": 2, "mean_range": [-0.5, 1.5], "std_range": [2.0, 3.0]}
    assert found["partners"] == {"vae": {"digest": told(vae)["weights"]["autoencoder"], "path": "vae.pt"}}
    assert found["settings"] == {
        "data_dir": "tiles", "vae_checkpoint": "vae.pt", "prediction": "v", "zero_terminal_snr": True,
    }  # fmt: skip


@pytest.mark.parametrize("ema", [True, False])
def test_the_digest_is_the_one_that_partners_are_known_by(tmp_path, ema):
    state, _ = vae_state(ema=ema)
    path = saved(tmp_path / "vae.pt", state)
    _, restored = load_autoencoder(path, CPU)
    found = told(path)
    assert found["weights"] == {"autoencoder": restored.digest}
    assert found["averaged"] is ema
    plain = checkpoint.digest_weights(state["nets"]["autoencoder"])
    assert (found["weights"]["autoencoder"] == plain) is not ema


def test_a_denoiser_has_the_digest_that_it_is_restored_with(diffusion):
    _, restored = load_denoiser(diffusion, CPU, averaged=True)
    assert told(diffusion)["weights"] == {"denoiser": restored.digest}


def test_the_settings_that_were_given_are_shown_also_where_they_are_the_defaults(tmp_path):
    settings = VaeTrainSettings(data={"data_dir": "tiles"}, loop={"epochs": 300, "batch_size": 2})
    state, _ = vae_state(settings, given=("batch_size", "data_dir", "epochs"))
    assert told(saved(tmp_path / "vae.pt", state))["settings"] == {"data_dir": "tiles", "epochs": 300, "batch_size": 2}


def test_a_checkpoint_of_before_shows_all_its_settings(tmp_path):
    state, _ = vae_state()
    del state["given"]
    shown = told(saved(tmp_path / "vae.pt", state))["settings"]
    assert shown["data_dir"] == "tiles" and shown["kl_mode"] == "capacity" and shown["epochs"] == 300


def test_settings_that_no_model_takes_are_shown_whole(tmp_path):
    state, _ = vae_state()
    state["settings"] = {"loop": {"epochs": 300, "from_the_future": 1}, "news": {"a": 2}}
    del state["given"]
    assert told(saved(tmp_path / "vae.pt", state))["settings"] == {"epochs": 300, "from_the_future": 1, "a": 2}


def test_a_best_of_a_warm_up_has_no_figure(tmp_path):
    state, _ = vae_state(figure=math.inf)
    assert "best" not in told(saved(tmp_path / "vae.pt", state))


def test_absent_keys_are_not_shown(tmp_path):
    path = saved(tmp_path / "toy.pt", {"kind": "toy", "nets": {"net": torch.nn.Linear(2, 1).state_dict()}})
    found = told(path)
    assert set(found) == {"checkpoint", "file_mib", "kind", "format", "rsforge", "weights", "averaged", "nets"}


def test_an_unknown_network_has_no_count(tmp_path):
    state, _ = vae_state()
    state["architecture"] = {"name": "of tomorrow"}
    found = told(saved(tmp_path / "vae.pt", state))
    assert found["architecture"] == {"name": "of tomorrow"} and "parameters" not in found


def test_the_command_beside_it_is_shown_if_it_is_of_this_run(tmp_path):
    state, _ = vae_state()
    path, beside = saved(tmp_path / "vae.pt", state), tmp_path / "settings.json"
    run_of = {"command": "rsforge vae train", "settings": state["settings"], "environment": {"torch": "2"}}
    beside.write_text(json.dumps(run_of))
    found = told(path)
    assert found["made_by"] == "rsforge vae train" and found["made_with"] == {"torch": "2"}
    for text in (json.dumps({**run_of, "settings": {}}), "[1]", "{", ""):
        beside.write_text(text)
        assert "made_by" not in told(path)


@pytest.mark.parametrize(
    ("content", "code"),
    [(None, "RSF-C001"), (b"GIF89a", "RSF-C003"), (b"PK\x03\x04 torn", "RSF-C002")],
)
def test_what_is_no_checkpoint_is_refused(tmp_path, content, code):
    path = tmp_path / "x.pt"
    if content:
        path.write_bytes(content)
    with pytest.raises(RsforgeError) as refused:
        told(path)
    assert refused.value.code == code


def test_a_pickled_object_is_refused_and_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"format": 1, "digests": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(RsforgeError) as refused:
        told(tmp_path / "trap.pt")
    assert refused.value.code == "RSF-C003" and not (tmp_path / "sprung").exists()


def test_a_flipped_bit_is_noticed(tmp_path):
    state, _ = vae_state()
    path = saved(tmp_path / "vae.pt", state)
    weight = state["nets"]["autoencoder"]
    needle = next(t for t in weight.values() if t.numel() > 64).numpy().tobytes()[:64]
    data = bytearray(path.read_bytes())
    data[data.index(needle)] ^= 1
    path.write_bytes(data)
    with pytest.raises(RsforgeError) as refused:
        told(path)
    assert refused.value.code == "RSF-C002"


def test_the_command(vae, capsys):
    assert run(["info", str(vae)]) == 0
    out = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert out["kind"] == "vae" and out["best.figure"] == "0.5" and out["averaged"] == "yes"
    assert run(["info", str(vae), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == IMAGES
    assert run(["info", str(vae.with_name("no.pt"))]) == 4


def test_layers_of_adapters_are_counted(tmp_path):
    adapter = Adapter(layers={"a.to_q": [8, 8], "b.to_k": [8, 4]}, rank=2)
    state = run_state({"adapter": adapter}) | {
        "kind": "diffusion-text",
        "architecture": {"adapter": adapter.architecture},
    }
    checkpoint.save(tmp_path / "a.pt", state)
    shown = told(tmp_path / "a.pt")
    assert shown["architecture"]["adapter"]["layers"] == 2 and shown["parameters"]["adapter"] == 2 * (16 + 12)
