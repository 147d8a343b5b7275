"""How large the demo is, and the options of the commands that it calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rsforge.recipes.cyclegan.output_names import CYCLEGAN
from rsforge.recipes.datasets.image_folder import SYNTHETIC
from rsforge.recipes.tools.demo_report import RECONSTRUCTIONS, SAMPLES
from rsforge.recipes.vae.output_names import VAE
from rsforge.settings.tools import DemoSettings

Options = Mapping[str, Any]
"""Options of a command by their flat names."""

USUAL_MINUTES = 3.0
VAE_OPTIONS: Options = {
    "latent": "map",
    "channels": (32, 32),
    "layers_per_block": 1,
    "perceptual": False,
    "jitter": 0.0,
    "batch_size": 4,
    "learning_rate": 1e-3,
    "lr_scheduler": "cosine",
    "lr_warmup_steps": 20,
    "ema": True,
    "ema_decay": 0.99,
    "num_workers": 0,
}
DIFFUSION_OPTIONS: Options = {
    "prediction": "v",
    "schedule": "cosine",
    "channels": (32, 64, 64),
    "layers_per_block": 1,
    "dropout": 0.0,
    "batch_size": 16,
    "learning_rate": 1e-3,
    "lr_scheduler": "cosine",
    "lr_warmup_steps": 50,
    "ema_decay": 0.99,
    "early_stopping_patience": 0,
    "oscillation_threshold": 0.0,
    "num_workers": 0,
    "validation_draws": 8,
}

TRANSLATOR_OPTIONS: Options = {
    "image_size": 64,
    "flip": 0.5,
    "base_width": 16,
    "norm": "batch",
    "lambda_l1": 500.0,
    "lambda_content": 0.0,
    "perceptual": False,
    "batch_size": 8,
    "learning_rate": 1e-3,
    "lr_scheduler": "cosine",
    "ema": True,
    "ema_decay": 0.99,
    "num_workers": 0,
}


@dataclass(frozen=True)
class Plan:
    """The size of the demo; the numbers of steps are upper limits in ``USUAL_MINUTES``, reached where time allows."""

    scenes: int = 768
    unseen: int = 128
    image_size: int = 32
    vae: Options = field(default_factory=lambda: VAE_OPTIONS)
    vae_steps: int = 920
    diffusion: Options = field(default_factory=lambda: DIFFUSION_OPTIONS)
    diffusion_steps: int = 1400
    translator: Options = field(default_factory=lambda: TRANSLATOR_OPTIONS)
    translator_steps: int = 500
    images: int = 16
    ddim_steps: int = 50

    def extend(self, minutes: float) -> Plan:
        """The plan with more steps in proportion, where there are more than the usual ``minutes``."""
        factor = max(1.0, minutes / USUAL_MINUTES)
        return replace(
            self,
            vae_steps=round(factor * self.vae_steps),
            diffusion_steps=round(factor * self.diffusion_steps),
            translator_steps=round(factor * self.translator_steps),
        )


class DemoOptions:
    """The options of every command of a demo, in the folder of its settings."""

    def __init__(self, settings: DemoSettings, plan: Plan) -> None:
        self.plan = plan
        self.output: Path = settings.output_dir
        self.seed = settings.seed
        self.device: Options = {"device": settings.device} if settings.device != "auto" else {}
        self.autoencoder = self.output / "vae_models" / VAE.names.best
        self.denoiser = self.output / "diffusion_models" / VAE.names.best
        self.generators = self.output / "cyclegan_models" / CYCLEGAN.names.best

    def vae(self, steps: int) -> dict[str, Any]:
        """Of ``rsforge vae train``."""
        return self._training(self.plan.vae, "vae_models", steps)

    def diffusion(self, steps: int) -> dict[str, Any]:
        """Of ``rsforge diffusion train``."""
        training = self._training(self.plan.diffusion, "diffusion_models", steps)
        return {"vae_checkpoint": self.autoencoder, **training}

    def translator(self, steps: int) -> dict[str, Any]:
        """Of ``rsforge cyclegan train``."""
        return {**self._training(self.plan.translator, "cyclegan_models", steps), "data_dir": SYNTHETIC}

    def _training(self, own: Options, folder: str, steps: int) -> dict[str, Any]:
        # The demo judges by scenes of another series: none of those that it trains on are held back for that.
        run = {"data_dir": str(self.output / "tiles"), "output_dir": self.output / folder, "test_fraction": 0.0}
        loop = {"max_train_steps": steps, "save_every_steps": steps, "sample_every_steps": steps, "seed": self.seed}
        return {**run, "image_size": self.plan.image_size, **loop, **own, **self.device}

    def sample(self) -> dict[str, Any]:
        """Of ``rsforge sample``."""
        return {
            "diffusion_checkpoint": self.denoiser,
            "vae_checkpoint": self.autoencoder,
            "num_images": self.plan.images,
            "ddim_steps": self.plan.ddim_steps,
            "seed": self.seed,
            "output": self.output / SAMPLES,
            **self.device,
        }

    def evaluate(self) -> dict[str, Any]:
        """Of ``rsforge vae evaluate``."""
        return {"checkpoint": self.autoencoder, "data_dir": str(self.output / "unseen"), **self.device}

    def reconstruct(self) -> dict[str, Any]:
        """Of ``rsforge vae reconstruct``."""
        return {**self.evaluate(), "num_images": 8, "output": self.output / RECONSTRUCTIONS}
