"""A diffusion training step on stored latents against one that encodes its images first.

The images to encode lie drawn in memory while the latents are read from their file, so that what is left out
(reading and decoding pictures) speaks for the encoding side. Both networks are the shipped map presets at a
quarter of their width.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from _paired import THREADS, Spent, interleaved, repeats, report, timed
from torch import Tensor

from rsforge.data.latent_cache import LatentDataset, latent_statistics
from rsforge.data.stored_arrays import open_array, write_array
from rsforge.data.synthetic.tile_dataset import SyntheticTiles
from rsforge.engine.ema import NoEma
from rsforge.engine.loader import BatchLoader, IndexedDataset, MicroBatch
from rsforge.engine.train_step import TrainStep
from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.models.unet import UNet
from rsforge.noise.schedules import alphas_cumprod
from rsforge.recipes.datasets.named_samples import NamedSamples
from rsforge.recipes.diffusion.encode_latents import Encoder
from rsforge.tasks.diffusion import DiffusionTask, already_encoded

COUNT, SIDE, BATCH = 32, 64, 8


class Drawn:
    """Scenes drawn once and kept."""

    def __init__(self) -> None:
        tiles = SyntheticTiles(COUNT, image_size=SIDE, seed=0)
        self.images = torch.stack([tiles[0, i] for i in range(COUNT)])

    def __len__(self) -> int:
        return COUNT

    def name(self, index: int) -> str:
        return str(index)

    def __getitem__(self, key: tuple[int, int]) -> Tensor:
        return self.images[key[1]]


def stored(encode: Encoder, images: Drawn, folder: Path) -> LatentDataset:
    """The moments of ``images`` in a file of ``folder``."""
    shape = (COUNT, 1, 2, *encode.autoencoder.latent_shape(SIDE))
    path = folder / "latents.npy"
    write_array(path, (encode(batch)[:, None] for batch in images.images.split(BATCH)), shape)
    return LatentDataset({"latents": open_array(path, shape)}, [str(i) for i in range(COUNT)], seed=0)


def stepper(
    samples: IndexedDataset, moments_of: Callable[[Mapping[str, Any]], Tensor], mean: Tensor, std: Tensor
) -> Callable[[], Spent]:
    """One training step after the other of a network that starts the same on both sides."""
    torch.manual_seed(0)
    network = UNet(
        block_out_channels=(32, 64, 64),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        head_width=32,
        cross_attention_dim=None,
    )
    table = alphas_cumprod("linear", 1000)
    task = DiffusionTask(network, alphas_cumprod=table, mean=mean, std=std, moments_of=moments_of)
    optimizer = partial(torch.optim.AdamW, lr=1e-4, fused=True)
    update = TrainStep(task, make_optimizer=optimizer, average=NoEma(), device=torch.device("cpu"), max_norm=1.0)
    micros: Iterator[list[MicroBatch]] = BatchLoader(samples, batch_size=BATCH).steps(0, 10**6)
    return lambda: timed(lambda: update(next(micros), 0, 1e-4).read())


def main() -> None:
    rounds = repeats(21)
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    images, encode = Drawn(), Encoder(AutoencoderKL(block_out_channels=(32, 64, 128, 128)).eval())
    with tempfile.TemporaryDirectory() as folder:
        latents = stored(encode, images, Path(folder))
        statistics = latent_statistics(latents.arrays["latents"])
        sides = {
            "encoding each step": stepper(NamedSamples(images, ["images"]), encode.moments_of, *statistics),
            "cached latents": stepper(latents, already_encoded, *statistics),
        }
        interleaved(sides, 2)
        spent = interleaved(sides, rounds)
    report("latent_cache", spent, against="encoding each step", threads=THREADS, image_size=SIDE, batch=BATCH)


if __name__ == "__main__":
    main()
