"""The defaults are those of the documents."""

from __future__ import annotations

from pathlib import Path

from rsforge.settings.diffusion import DiffusionTrainSettings
from rsforge.settings.sample import SampleSettings
from rsforge.settings.vae import VaeTrainSettings


def test_vae_train():
    s = VaeTrainSettings(data={"data_dir": "x"})
    assert (s.run.output_dir, s.run.base_dir, s.run.seed, s.run.num_workers) == (Path("vae_models"), Path(), 42, 4)
    assert (s.loop.epochs, s.loop.batch_size, s.loop.save_every, s.loop.sample_every) == (300, 16, 20, 10)
    assert (s.autoencoder.latent, s.autoencoder.latent_dim) == ("vector", 128)
    assert (s.autoencoder.kl_weight, s.autoencoder.kl_warmup, s.autoencoder.kl_target) == (1.0, 150, 25.0)
    assert (s.autoencoder.perceptual, s.autoencoder.perceptual_weight) == ("auto", 0.03)
    assert (s.optim.learning_rate, s.optim.weight_decay, s.optim.lr_scheduler) == (1e-4, 1e-5, "none")
    assert (s.data.image_size, s.data.flip, s.data.jitter, s.loop.max_grad_norm) == (128, 0.5, 0.1, 1.0)
    assert (s.loop.mixed_precision, s.average.ema, s.run.resume) == ("no", False, None)
    assert (s.stopping.early_stopping_patience, s.stopping.oscillation_threshold) == (0, 0)


def test_diffusion_train():
    s = DiffusionTrainSettings(data={"data_dir": "x"}, denoiser={"vae_checkpoint": "v.pt"})
    assert (s.run.output_dir, s.run.base_dir, s.run.seed, s.run.num_workers) == (
        Path("diffusion_models"), Path(), 42, 4,
    )  # fmt: skip
    assert (s.loop.epochs, s.loop.batch_size, s.loop.grad_accum, s.loop.save_every) == (500, 16, 1, 10)
    assert (s.optim.learning_rate, s.optim.weight_decay) == (1e-4, 1e-4)
    assert (s.optim.lr_scheduler, s.optim.lr_min) == ("cosine_warm_restarts", 1e-5)
    assert (s.data.image_size, s.data.jitter) == (128, 0.0)
    assert (s.average.ema, s.average.ema_decay, s.loop.mixed_precision) == (True, 0.995, "auto")
    assert (s.denoiser.schedule, s.denoiser.prediction, s.denoiser.timesteps) == ("linear", "eps", 1000)
    assert s.denoiser.hidden == (256, 256, 512, 512)
    stopping = s.stopping
    assert (stopping.early_stopping_patience, stopping.early_stopping_delta) == (30, 1e-5)
    assert (stopping.oscillation_window, stopping.oscillation_threshold) == (10, 0.0005)


def test_sample():
    s = SampleSettings(diffusion_checkpoint=Path("d.pt"), vae_checkpoint=Path("v.pt"))
    assert (s.output, s.base_dir) == (Path("generated_images.png"), Path())
    assert (s.num_images, s.ddim_steps, s.batch_size, s.seed, s.nrow) == (16, None, 16, None, 4)
