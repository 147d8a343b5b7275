from __future__ import annotations

import pytest
import torch

from rsforge.data.synthetic.tile_dataset import SyntheticTiles
from rsforge.engine.accumulator import COUNTED
from rsforge.engine.ema import NoEma
from rsforge.engine.loader import BatchLoader
from rsforge.engine.task import StepContext
from rsforge.engine.train_step import TrainStep
from rsforge.losses.elbo import kl_to_standard_normal, sample_latent
from rsforge.models.vector_vae import VectorVae
from rsforge.recipes.datasets.named_samples import NamedSamples
from rsforge.tasks.vae import VaeTask

CPU = torch.device("cpu")
TILES = SyntheticTiles(64, image_size=16, seed=0)


def task(**options):
    torch.manual_seed(0)
    network = VectorVae(image_size=16, latent_dim=16, channels=(8, 16), in_channels=3)
    return VaeTask(network, **{"kl_weight": 1.0} | options)


def train(job, steps):
    move = TrainStep(
        job, make_optimizer=lambda p: torch.optim.AdamW(p, 3e-3), average=NoEma(), device=CPU, max_norm=1.0
    )
    return [
        move(micros, step, 3e-3)
        for step, micros in enumerate(
            BatchLoader(NamedSamples(TILES, ("images",)), batch_size=16, seed=1).steps(0, steps)
        )
    ]


def batch():
    return torch.stack([TILES[0, i] for i in range(64)])


def test_the_loss_is_the_documented_sum():
    """recon + beta KL, with recon the mean squared error plus the weighted perceptual distance."""
    job = task(kl_weight=2.0, kl_warmup=4, perceptual=lambda x, y: (x - y).abs().mean(), perceptual_weight=0.03)
    turn = next(job.step({"images": batch()}, StepContext(epoch=1)))
    r = {k: v.item() for k, v in turn.report.items()}
    assert r["beta"] == 0.5 and r["recon"] == pytest.approx(r["mse"] + 0.03 * r["perceptual"], rel=1e-5)
    assert turn.loss.item() == pytest.approx(r["recon"] + 0.5 * r["kl"], rel=1e-5)


def test_errors_of_colour_count_in_what_is_trained_alone():
    """By the definition: of the error the mean of the channels once, and what they deviate from it five times."""
    x, job = batch(), task(kl_weight=0.0, chroma_weight=5.0)
    torch.manual_seed(1)
    report = next(job.step({"images": x}, StepContext())).report
    torch.manual_seed(1)
    error = job.autoencoder.decode(sample_latent(*job.autoencoder.encode(x))) - x
    grey = error.mean(1, keepdim=True)
    expected = 3 * grey.square().sum() + 5 * (error - grey).square().sum()
    assert report["recon"].item() == pytest.approx(expected.item() / x.numel(), rel=1e-5)
    assert report["mse"].item() == pytest.approx(error.square().mean().item(), rel=1e-5)
    torch.manual_seed(1)
    figures = job.evaluate({"images": x})
    assert figures["mse"].mean().item() == pytest.approx(report["mse"].item(), rel=1e-5)


def test_the_kl_may_be_weighed_by_the_numbers_of_an_image_over_which_the_reconstruction_is_a_mean():
    turn = next(task(kl_weight=2.0, kl_per_pixel=True).step({"images": batch()}, StepContext(epoch=0)))
    r = {k: v.item() for k, v in turn.report.items()}
    assert turn.loss.item() == pytest.approx(r["recon"] + 2.0 / (3 * 16 * 16) * r["kl"], rel=1e-5)


def test_a_target_weighs_nats_as_shares_of_the_reconstruction():
    job = task(kl_weight=2.0, kl_target=10.0)
    turn = next(job.step({"images": batch()}, StepContext()))
    r = {k: v.item() for k, v in turn.report.items()}
    expected = r["recon"] * (1 + 2.0 * abs(r["kl"] - 10.0) / 10.0)
    assert turn.loss.item() == pytest.approx(expected, rel=1e-5)


def test_without_a_target_the_documented_weights_collapse_the_posterior_and_the_target_prevents_it():
    """Reconstruction is a mean over pixels and KL a sum in nats: at weight 1 nothing is worth encoding."""
    nats = {}
    for target in (0.0, 10.0):
        job = task(kl_target=target)
        train(job, 100)
        with torch.no_grad():
            nats[target] = float(kl_to_standard_normal(*job.autoencoder.eval().encode(batch())).mean())
    assert nats[0.0] < 1.0
    assert nats[10.0] == pytest.approx(10.0, rel=0.25)


def test_free_bits_do_not_collapse_either():
    job = task(kl_target=10.0, kl_mode="free_bits")
    train(job, 60)
    with torch.no_grad():
        assert float(kl_to_standard_normal(*job.autoencoder.eval().encode(batch())).mean()) > 4.0


def test_it_learns_to_beat_the_mean_image_on_scenes_it_has_not_seen():
    job = task(kl_target=25.0)
    train(job, 150)
    fresh = SyntheticTiles(96, image_size=16, seed=0)
    unseen = torch.stack([fresh[0, i] for i in range(64, 96)])
    with torch.no_grad():
        mse = (job.autoencoder.eval()(unseen) - unseen).square().mean()
    assert float(mse) < 0.75 * float((batch().mean(0) - unseen).square().mean())


def test_evaluation_counts_samples_and_changes_nothing():
    job = task()
    before = {k: v.clone() for k, v in job.autoencoder.eval().state_dict().items()}
    torch.manual_seed(3)
    with torch.no_grad():
        whole = job.evaluate({"images": batch()})
    assert set(whole) == {"neg_elbo", "mse", "kl"} and all(v.ndim == 0 for v in whole.values())
    assert all(torch.equal(v, before[k]) for k, v in job.autoencoder.state_dict().items())


def with_gaps():
    """A batch whose images hold no data in some columns, 2 of 16 on average."""
    images, valid = batch()[:8], torch.ones(8, 1, 16, 16, dtype=torch.bool)
    valid[::2, ..., :4] = False
    return {"images": images.where(valid, -1), "valid": valid}


def test_pixels_without_data_have_no_part_in_the_loss():
    """What is restored there, and what stands there, changes no bit; the rest weighs as it does in whole images."""
    job, given = task(), with_gaps()
    decode, made = job.autoencoder.decode, []
    job.autoencoder.decode = lambda z: made.append(decode(z)) or made[-1]
    torch.manual_seed(1)
    turn = next(job.step(given, StepContext()))
    (slope,) = torch.autograd.grad(turn.report["recon"], made[0])
    assert not slope[~given["valid"].expand_as(slope)].any() and slope[given["valid"].expand_as(slope)].all()
    valid = given["valid"].expand_as(slope)
    expected = ((made[0] - given["images"])[valid] ** 2).sum() / slope.numel()
    assert turn.report["mse"].item() == pytest.approx(expected.item(), rel=1e-5)


@torch.no_grad()
def test_held_out_figures_are_of_pixels_with_data():
    job, given = task(), with_gaps()
    job.autoencoder.eval()
    torch.manual_seed(1)
    figures = job.evaluate(given)
    torch.manual_seed(1)
    mu, logvar = job.autoencoder.encode(given["images"])
    error = (job.autoencoder.decode(sample_latent(mu, logvar)) - given["images"]).square()
    assert float(figures["mse"]) == pytest.approx(float(error[given["valid"].expand_as(error)].mean()), rel=1e-5)
    assert float(figures[COUNTED]) == pytest.approx(0.875)
    torch.manual_seed(1)
    whole = job.evaluate({**given, "valid": torch.ones_like(given["valid"])})
    torch.manual_seed(1)
    plain = job.evaluate({"images": given["images"]})
    assert {n: float(v) for n, v in whole.items() if n != COUNTED} == pytest.approx(
        {n: float(v) for n, v in plain.items()}
    )
