"""Terms on decoded images beside the squared error, and the turn of the critic."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from rsforge.engine.ema import NoEma
from rsforge.engine.loader import MicroBatch
from rsforge.engine.task import StepContext
from rsforge.engine.train_step import TrainStep
from rsforge.losses.adversarial import critic_loss, generator_loss
from rsforge.noise.process import to_x_0
from rsforge.noise.schedules import alphas_cumprod
from rsforge.tasks.diffusion import DiffusionTask
from rsforge.tasks.refined_diffusion import LEAST_SIGNAL, ImageWeights, RefinedDiffusionTask

TABLE = alphas_cumprod("linear", 100)


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(2, 2, 1)

    def forward(self, x_t, t):
        return self.layer(x_t)


def decode(latents):
    return torch.cat([latents, latents.mean(1, keepdim=True)], 1).tanh()


def distance(x, y):
    return F.l1_loss(x, y)


def tasks(prediction="v", **weights):
    torch.manual_seed(0)
    base = DiffusionTask(
        Denoiser(), alphas_cumprod=TABLE, mean=torch.zeros(2, 1, 1), std=torch.ones(2, 1, 1), prediction=prediction
    )
    weights = ImageWeights(**weights)
    critic = nn.Conv2d(3, 1, 3) if weights.adversarial else None
    return base, RefinedDiffusionTask(base, decode, weights=weights, critic=critic, perceptual=distance)


def batch(count=6):
    return {"latents": torch.stack([torch.randn(count, 2, 4, 4), torch.full((count, 2, 4, 4), -8.0)], 1)}


@pytest.mark.parametrize("prediction", ["eps", "v", "x_0"])
def test_the_loss_is_the_weighted_sum_of_its_terms_by_hand(prediction):
    base, task = tasks(prediction, mse=2.0, perceptual=0.5, adversarial=0.25)
    data = batch()
    torch.manual_seed(1)
    turns = task.step(data, StepContext())
    denoiser = next(turns)
    torch.manual_seed(1)
    noisy, output = base.answer(data)
    share = noisy.alpha_bar.clone()
    share[share < LEAST_SIGNAL] = 0
    share = share.float().view(-1, 1, 1, 1)
    estimate = to_x_0(prediction, output, noisy.x_t, noisy.alpha_bar.clamp_min(1e-8))
    fake, real = decode(noisy.x_0 + share * (estimate - noisy.x_0)), decode(noisy.x_0)
    by_hand = 2 * base.loss(noisy, output) + 0.5 * distance(fake, real)
    by_hand = by_hand + 0.25 * generator_loss("hinge", task.critic(fake))
    assert denoiser.group == "denoiser" and torch.allclose(denoiser.loss, by_hand)
    assert set(denoiser.report) == {"loss_mse", "loss_perceptual", "loss_adversarial"}
    critic = next(turns)
    assert critic.group == "critic"
    assert torch.allclose(critic.loss, critic_loss("hinge", task.critic(real), task.critic(fake)))


def test_an_estimate_from_too_much_noise_gives_no_gradient():
    base, task = tasks(perceptual=1.0)
    data = batch()
    base.alphas_cumprod = torch.full((100,), LEAST_SIGNAL / 2, dtype=torch.float64)
    noisy, output = base.answer(data)
    fake, real = task._images(noisy, output)
    assert torch.equal(fake, real)
    base.alphas_cumprod = torch.full((100,), 0.5, dtype=torch.float64)
    fake, _ = task._images(*base.answer(data))
    (gradient,) = torch.autograd.grad(fake.sum(), [base.denoiser.layer.weight])
    assert gradient.abs().sum() > 0


def test_both_networks_move_and_each_by_its_own_turn():
    _, task = tasks(perceptual=0.1, adversarial=0.1)
    before = {name: [p.clone() for p in net.parameters()] for name, net in task.modules().items()}
    move = TrainStep(
        task, make_optimizer=lambda p: torch.optim.SGD(p, 0.1), average=NoEma(), device=torch.device("cpu")
    )
    figures = move([MicroBatch(batch(), 1.0, 0, tuple(map(str, range(6))))], 0, 0.1).read()
    assert {"loss", "loss_critic", "loss_mse"} <= set(figures)
    for name, net in task.modules().items():
        assert any(not torch.equal(p, old) for p, old in zip(net.parameters(), before[name], strict=True))


def test_without_an_adversarial_weight_there_is_one_turn_and_no_critic():
    base, task = tasks(perceptual=0.1)
    assert set(task.modules()) == set(task.groups()) == {"denoiser"}
    assert len(list(task.step(batch(), StepContext()))) == 1
    with pytest.raises(ValueError, match="a critic is needed"):
        RefinedDiffusionTask(base, decode, weights=ImageWeights(adversarial=0.1))
    assert task.validation().__class__ is base.validation().__class__
