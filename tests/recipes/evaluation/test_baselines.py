"""What baselines know of training images, and what they give for others."""

from __future__ import annotations

import pytest
import torch

from rsforge.engine import checkpoint
from rsforge.metrics.constant_images import mean_colour, mean_image, median_image
from rsforge.recipes.evaluation import baselines
from rsforge.recipes.evaluation.baseline_predictors import (
    component_baselines,
    constant_baselines,
    measured_baseline,
    measured_means,
)
from rsforge.recipes.evaluation.baselines import KEY, fit_baselines
from rsforge.recipes.evaluation.image_figures import IMAGE

CPU = torch.device("cpu")


class Drawn:
    """Pairs of a grey image and one of 8-bit colours, which counts how often it is asked."""

    def __init__(self, count: int, size: int = 8) -> None:
        levels = torch.randint(0, 256, (count, 3, size, size), generator=torch.Generator().manual_seed(0))
        self.levels, self.asked = levels.byte(), list[int]()

    def __len__(self) -> int:
        return len(self.levels)

    def __getitem__(self, key: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        self.asked.append(key[1])
        image = self.levels[key[1]].float() / 255 * 2 - 1
        return image[:1], image

    def name(self, index: int) -> str:
        return str(index)


def optical(item: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return item[1]


def test_constant_images_are_those_of_the_training_images():
    samples = Drawn(9)
    fitted = fit_baselines(samples, image_of=optical)
    assert (fitted["images"], fitted["of"]) == (9, 9) and "pca" not in fitted
    for name, function in (("mean_image", mean_image), ("median_image", median_image), ("mean_colour", mean_colour)):
        torch.testing.assert_close(fitted[name], function(samples.levels))
    again = fit_baselines(Drawn(9), image_of=optical)
    assert all(torch.equal(fitted[name], again[name]) for name in ("mean_image", "median_image", "mean_colour"))


def test_of_many_images_some_are_taken_evenly_and_counted(monkeypatch):
    monkeypatch.setattr(baselines, "MOST_IMAGES", 4)
    samples = Drawn(10)
    fitted = fit_baselines(samples, image_of=optical)
    assert (fitted["images"], fitted["of"]) == (4, 10)
    torch.testing.assert_close(fitted["mean_image"], mean_image(samples.levels[[0, 2, 5, 7]]))
    assert "4 of 10 training images" in constant_baselines(fitted, 8, CPU)[0].meaning
    monkeypatch.setattr(baselines, "_MOST_BYTES", 2 * 192)
    assert fit_baselines(samples, image_of=optical)["images"] == 2


@pytest.mark.parametrize(("latent", "shape", "patch"), [((3,), (3, 3, 8, 8), 0), ((5, 2, 2), (5, 48), 4)])
def test_components_hold_as_many_numbers_as_the_latent(latent, shape, patch, tmp_path):
    samples = Drawn(12)
    fitted = fit_baselines(samples, image_of=optical, latent_shape=latent)
    assert fitted["pca"]["components"].shape == shape and fitted["pca"]["patch"] == patch
    checkpoint.save(tmp_path / "c.pt", {"kind": "x", "nets": {}, KEY: fitted})
    stored = checkpoint.load(tmp_path / "c.pt")[KEY]
    (pca,), absent = component_baselines(stored, "target", 8, CPU)
    x = torch.stack([samples[0, k][1] for k in range(12)])
    y = pca.predict({"target": x})[IMAGE]
    assert absent == {} and y.shape == x.shape and "12 training images" in pca.meaning
    constant = constant_baselines(stored, 8, CPU)[1].predict({"target": x})[IMAGE]
    assert (y - x).square().mean() < (constant - x).square().mean()


def test_components_too_large_to_store_are_left_out_with_a_reason(monkeypatch):
    monkeypatch.setattr(baselines, "_MOST_PCA_BYTES", 1000)
    fitted = fit_baselines(Drawn(4), image_of=optical, latent_shape=(3,))
    found, absent = component_baselines(fitted, "target", 8, CPU)
    assert found == [] and "MiB" in absent["pca"]


def test_images_of_another_size_get_scaled_constants_but_no_components_of_whole_images():
    samples = Drawn(6)
    whole = fit_baselines(samples, image_of=optical, latent_shape=(3,))
    assert "8 px" in component_baselines(whole, "target", 16, CPU)[1]["pca"]
    patches = fit_baselines(samples, image_of=optical, latent_shape=(3, 2, 2))
    x = torch.zeros(2, 3, 16, 16)
    assert component_baselines(patches, "target", 16, CPU)[0][0].predict({"target": x})[IMAGE].shape == x.shape
    for baseline in constant_baselines(whole, 16, CPU):
        made = baseline.predict({"target": x})[IMAGE]
        assert made.shape == x.shape and made.abs().max() <= 1
        torch.testing.assert_close(made[0].mean((1, 2)), whole["mean_colour"], atol=0.1, rtol=0)


def test_means_of_the_measured_images_are_named_as_such():
    samples, steps = Drawn(5), []
    image, colour = measured_means(samples, optical, lambda: steps.append(1))
    torch.testing.assert_close(image, mean_image(samples.levels))
    torch.testing.assert_close(colour, mean_colour(samples.levels))
    assert len(steps) == 5
    for baseline in (measured_baseline("mean_image", image, 8, CPU), measured_baseline("mean_colour", colour, 8, CPU)):
        made = baseline.predict({"target": torch.zeros(2, 3, 8, 8)})[IMAGE]
        assert made.shape == (2, 3, 8, 8) and "measured images" in baseline.meaning
        torch.testing.assert_close(made[0].mean((1, 2)), colour)


class WithGaps(Drawn):
    """Images whose first columns hold no data, over values that do not matter."""

    has_gaps = True

    def __init__(self, count: int, under: int) -> None:
        super().__init__(count)
        self.levels[::2, :, :, :3] = under

    def valid(self, key: tuple[int, int]) -> torch.Tensor:
        mask = torch.ones(1, 8, 8, dtype=torch.bool)
        if key[1] % 2 == 0:
            mask[..., :3] = False
        return mask


@pytest.mark.parametrize("latent_shape", [(4,), (2, 2, 2)])
def test_what_stands_in_gaps_changes_no_baseline(latent_shape):
    one, other = (fit_baselines(WithGaps(8, under), image_of=optical, latent_shape=latent_shape) for under in (0, 255))
    known = Drawn(8).levels[1::2, :, :, :3].float().mean(0) / 127.5 - 1
    torch.testing.assert_close(one["mean_image"][..., :3], known)
    assert all(torch.equal(one[n], other[n]) for n in ("mean_image", "median_image", "mean_colour"))
    assert all(torch.equal(one["pca"][n], other["pca"][n]) for n in ("mean", "components"))


def test_measured_means_are_of_pixels_with_data():
    found = [measured_means(WithGaps(6, under), optical, lambda: None) for under in (0, 255)]
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))
    torch.testing.assert_close(found[0][0][..., 3:], mean_image(WithGaps(6, 0).levels)[..., 3:])
