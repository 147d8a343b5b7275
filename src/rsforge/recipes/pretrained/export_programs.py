"""The parts of a text-to-image model as programs that run without rsforge: torch.export or ONNX."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from rsforge import __version__, leftovers
from rsforge.engine.checkpoint import digest_weights
from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.noise.schedules import table_of
from rsforge.recipes.console import Console
from rsforge.recipes.export import write
from rsforge.recipes.export.formats import FORMATS
from rsforge.recipes.export.network import ExportedNetwork, NetworkInput
from rsforge.recipes.pretrained.model import PretrainedModel
from rsforge.recipes.training import output_dir

FOLDER = "programs"
PARTS = ("text_encoder", "unet", "vae_encoder", "vae_decoder")


class _Encoder(nn.Module):
    """Images to the means of their latents, not scaled."""

    def __init__(self, autoencoder: AutoencoderKL) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, image: Tensor) -> Tensor:
        return self.autoencoder.encode(image)[0]


class _Decoder(nn.Module):
    """Latents, not scaled, to images."""

    def __init__(self, autoencoder: AutoencoderKL) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, latents: Tensor) -> Tensor:
        return self.autoencoder.decode(latents)


def list_parts(model: PretrainedModel) -> dict[str, ExportedNetwork]:
    """Every part with its inputs; the model's networks are frozen by it, and drawn with as they are."""
    text, unet, autoencoder = model.text_encoder, model.unet, model.autoencoder
    for network in (text, unet, autoencoder):
        network.eval().requires_grad_(False)
    length, channels = text.architecture["max_length"], autoencoder.latent_channels
    timesteps = len(table_of(model.schedule))
    x_t = NetworkInput("x_t", (channels, None, None))
    t = NetworkInput("t", (), below=timesteps)
    context = NetworkInput("context", (length, text.width))
    tokens = NetworkInput("tokens", (length,), below=text.architecture["vocab_size"])
    latent_size, halvings = model.networks.latent_size, len(unet.architecture["block_out_channels"]) - 1
    image, latents = NetworkInput("image", (3, None, None)), NetworkInput("latents", (channels, None, None))
    return {
        "text_encoder": ExportedNetwork(text, (tokens,), "context", length, 1, describe("text_encoder", model, text)),
        "unet": ExportedNetwork(
            unet, (x_t, t, context), "prediction", latent_size, 2**halvings, describe("unet", model, unet)
        ),
        "vae_encoder": ExportedNetwork(
            _Encoder(autoencoder), (image,), "latents", model.image_size, autoencoder.factor,
            describe("vae_encoder", model, autoencoder),
        ),
        "vae_decoder": ExportedNetwork(
            _Decoder(autoencoder), (latents,), "image", latent_size, 1, describe("vae_decoder", model, autoencoder)
        ),
    }  # fmt: skip


def describe(part: str, model: PretrainedModel, network: nn.Module) -> dict[str, str]:
    """The header of a part's files: what draws an image with them needs the schedule and the scale of latents."""
    return {
        "rsforge": __version__,
        "part": part,
        "weights": digest_weights(network.state_dict()),
        "prediction": model.prediction,
        "schedule": json.dumps(model.schedule),
        "latents": f"x_0 of the U-Net is the latents of the encoder times {model.networks.scaling_factor!r}",
        "scaling_factor": repr(model.networks.scaling_factor),
    }


def list_programs(formats: Sequence[str]) -> list[str]:
    """The files of all parts, as named from the exported folder."""
    files = (path for part in PARTS for path in write.list_files(Path(FOLDER), part, formats))
    return [path.as_posix() for path in files] if formats else []


def check_programs(model: PretrainedModel, folder: Path, formats: Sequence[str], *, overwrite: bool) -> None:
    """Before any work: RSF-U004 for files that are there, RSF-E006 for packages that are not, RSF-U005 for weights
    that one ONNX file cannot hold.
    """
    write.check_packages(formats)
    for name, part in list_parts(model).items() if formats else ():
        write.check_free(folder / FOLDER, name, overwrite=overwrite)
        write.check_size(part, formats)


def write_programs(
    model: PretrainedModel, folder: Path, formats: Sequence[str], console: Console
) -> dict[str, dict[str, float]]:
    """Write the parts in every format, each run and compared with ours: the largest difference by part and format.

    RSF-E010 for a part that a format cannot hold.
    """
    differences: dict[str, dict[str, float]] = {}
    for name, part in list_parts(model).items() if formats else ():
        place = folder / FOLDER
        output_dir.make(place)
        leftovers.sweep_for(write.list_files(place, name, list(FORMATS)))
        console.say(f"program    {name}")
        rows = write.write_files(part, place, name, formats, partial(describe_files, part), console)
        differences[name] = {row["format"]: row["largest_difference"] for row in rows}
    return differences


def describe_files(part: ExportedNetwork, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The JSON file of a part: inputs, output, and the files; sides of images are null in shapes."""
    inputs = [
        {"name": one.name, "dtype": "int64" if one.below else "float32", "shape": ["batch", *one.shape]}
        | ({"below": one.below} if one.below else {})
        for one in part.inputs
    ]
    return {**part.card, "inputs": inputs, "output": part.output, "tolerance": write.TOLERANCE, "files": list(rows)}
