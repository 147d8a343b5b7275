"""The main job in three calls: an autoencoder, a diffusion model in its latent space, and images from both.

The same as `rsforge vae train`, `rsforge diffusion train` and `rsforge sample`. The models are toys that train in
a minute; their images have colours and textures of the drawn scenes, not yet their shapes.
"""

from __future__ import annotations

from pathlib import Path

from rsforge.data.synthetic.tile_dataset import write_tiles
from rsforge.engine import journal
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.diffusion import train as diffusion_train
from rsforge.recipes.sample import images as sample_images
from rsforge.recipes.vae import train as vae_train
from rsforge.settings.base import LoopSettings, OptimSettings, RunSettings
from rsforge.settings.diffusion import DenoiserSettings, DiffusionTrainSettings, LatentImageSettings
from rsforge.settings.sample import SampleSettings
from rsforge.settings.vae import AutoencoderSettings, VaeTileSettings, VaeTrainSettings

TILES, SIZE = Path("tiles"), 32


def run(folder: str) -> RunSettings:
    """What both trainings share: their own folder, one seed, no further processes."""
    return RunSettings(output_dir=Path(folder), overwrite=True, seed=0, num_workers=0, report_to=("none",))


def train_autoencoder() -> Path:
    settings = VaeTrainSettings(
        run=run("vae_models"),
        data=VaeTileSettings(data_dir=str(TILES), image_size=SIZE),
        autoencoder=AutoencoderSettings(
            channels=(16, 32, 64), latent_dim=32, perceptual=False, kl_weight=1e-3, kl_warmup=4
        ),
        loop=LoopSettings(epochs=10, batch_size=16),
        optim=OptimSettings(learning_rate=2e-3),
    )
    return Path(vae_train.train(settings, SilentConsole())["best_model"])


def train_denoiser(autoencoder: Path) -> Path:
    settings = DiffusionTrainSettings(
        run=run("diffusion_models"),
        data=LatentImageSettings(data_dir=str(TILES), image_size=SIZE),
        denoiser=DenoiserSettings(
            vae_checkpoint=autoencoder, hidden=(64, 64, 128, 128), timesteps=200, schedule="cosine"
        ),
        loop=LoopSettings(epochs=60, batch_size=32, sample_every=60, validate_every=30),
        optim=OptimSettings(learning_rate=1e-3, lr_scheduler="cosine"),
    )
    result = diffusion_train.train(settings, SilentConsole())
    last = journal.read(settings.run.output_dir / "journal.jsonl")[-1]
    print(
        f"denoiser: held-out loss {last['val/loss']:.3f}; one that knows mean and spread alone {last['val/linear']:.3f}"
    )
    return Path(result["best_model"])


def main() -> None:
    write_tiles(TILES, 200, size=SIZE, seed=0)
    autoencoder = train_autoencoder()
    denoiser = train_denoiser(autoencoder)
    # Each checkpoint rebuilds its network alone, and the denoiser's names the autoencoder it belongs to.
    drawn = sample_images.draw(
        SampleSettings(
            diffusion_checkpoint=denoiser, vae_checkpoint=autoencoder, num_images=8, ddim_steps=25, seed=3,
            output=Path("generated_images.png"),
        ),
        SilentConsole(),
    )  # fmt: skip
    print(f"drew {drawn['images']} images by {drawn['sampler']} in {drawn['steps']} steps: {drawn['output']}")


if __name__ == "__main__":
    main()
