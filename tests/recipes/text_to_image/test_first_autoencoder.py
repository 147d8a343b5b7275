"""The autoencoder that a training from scratch trains first."""

from __future__ import annotations

from rsforge.engine import checkpoint
from rsforge.recipes.text_to_image.first_autoencoder import settings_of
from rsforge.settings.base import RunSettings
from rsforge.settings.diffusion_sar import FirstAutoencoderSettings
from rsforge.settings.finetune import CaptionedImageSettings, FinetuneSettings


def test_it_is_trained_on_the_images_of_the_run_in_a_folder_below(tmp_path, scratch_run, text_world):
    settings = FinetuneSettings(
        run=RunSettings(output_dir=tmp_path / "run"),
        data=CaptionedImageSettings(data_dir="images", image_size=64, random_flip=True),
        autoencoder=FirstAutoencoderSettings(channels=(8, 8), epochs=7),
    )
    own = settings_of(settings)
    assert own.run.output_dir == tmp_path / "run" / "autoencoder" and own.run.resume is None
    assert (own.data.image_size, own.data.flip, own.loop.epochs) == (64, 0.5, 7)
    assert own.autoencoder.latent == "map" and own.autoencoder.channels == (8, 8)
    images = [checkpoint.load(scratch_run / name)["images"] for name in ("autoencoder/best_model.pt", "best_model.pt")]
    assert images[0]["split"] == images[1]["split"]


def test_its_steps_may_be_counted_instead_of_its_epochs(tmp_path):
    settings = FinetuneSettings(
        run=RunSettings(output_dir=tmp_path),
        data=CaptionedImageSettings(data_dir="images"),
        autoencoder=FirstAutoencoderSettings(max_train_steps=3),
    )
    assert settings_of(settings).loop.max_train_steps == 3


def test_an_interrupted_one_goes_on(scratch_run):
    settings = FinetuneSettings(run=RunSettings(output_dir=scratch_run), data=CaptionedImageSettings(data_dir="x"))
    assert settings_of(settings).run.resume == "auto"
