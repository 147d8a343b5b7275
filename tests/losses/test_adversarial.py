"""What generator and critic want, against closed forms, and the penalty where its value is known."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rsforge.losses.adversarial import GanLoss, critic_loss, generator_loss, gradient_penalty
from rsforge.models.patch_gan import PatchCritic

KINDS = get_args(GanLoss)
REAL, FAKE = [2.0, -1.0, 0.5, 3.0], [0.25, -2.0, 1.0, -0.5]


def logits(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).reshape(2, 1, 1, 2).requires_grad_()


def mean(terms: list[float]) -> float:
    return sum(terms) / len(terms)


def softplus(value: float) -> float:
    return math.log1p(math.exp(value))


GENERATOR = {
    "bce": mean([softplus(-f) for f in FAKE]),
    "lsgan": mean([(f - 1) ** 2 for f in FAKE]),
    "wgan-gp": 0.3125,
    "hinge": 0.3125,
}
CRITIC = {
    "bce": (mean([softplus(-r) for r in REAL]) + mean([softplus(f) for f in FAKE])) / 2,
    "lsgan": (mean([(r - 1) ** 2 for r in REAL]) + mean([f**2 for f in FAKE])) / 2,
    "wgan-gp": -0.3125 - 1.125,
    "hinge": ((0 + 2 + 0.5 + 0) / 4 + (1.25 + 0 + 2 + 0.5) / 4) / 2,
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_losses_are_their_closed_forms(kind) -> None:
    assert generator_loss(kind, logits(FAKE)).item() == pytest.approx(GENERATOR[kind])
    assert critic_loss(kind, logits(REAL), logits(FAKE)).item() == pytest.approx(CRITIC[kind])


@pytest.mark.parametrize(("kind", "distance"), [("bce", nn.BCEWithLogitsLoss()), ("lsgan", nn.MSELoss())])
def test_those_with_targets_are_torchs_distance_from_them(kind, distance) -> None:
    real, fake = logits(REAL), logits(FAKE)
    ones, zeros = torch.ones_like(real), torch.zeros_like(real)
    torch.testing.assert_close(generator_loss(kind, fake), distance(fake, ones))
    torch.testing.assert_close(critic_loss(kind, real, fake), 0.5 * (distance(real, ones) + distance(fake, zeros)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_generator_wants_what_the_critic_does_not(kind) -> None:
    # Inside the margins, where every loss still wants something.
    real, fake = logits([0.1, 0.2, 0.3, 0.4]), logits([0.5, 0.6, 0.7, 0.8])
    (wanted,) = torch.autograd.grad(generator_loss(kind, fake), fake)
    of_real, of_fake = torch.autograd.grad(critic_loss(kind, real, fake), (real, fake))
    assert (wanted < 0).all() and (of_real < 0).all() and (of_fake > 0).all()


@pytest.mark.parametrize(
    ("kind", "undecided", "loss"),
    [("bce", 0.0, math.log(2)), ("lsgan", 0.5, 0.25), ("hinge", 0.0, 1.0), ("wgan-gp", 0.0, 0.0)],
)
def test_what_an_undecided_critic_pays(kind, undecided, loss) -> None:
    same = logits([undecided] * 4)
    assert critic_loss(kind, same, same).item() == pytest.approx(loss)


def test_a_hinge_leaves_what_is_beyond_its_margins() -> None:
    real, fake = logits([1.0, 2.0, 9.0, 1.5]), logits([-1.0, -2.0, -9.0, -1.5])
    loss = critic_loss("hinge", real, fake)
    assert loss.item() == 0
    assert not any(g.any() for g in torch.autograd.grad(loss, (real, fake)))
    assert generator_loss("hinge", fake).item() == 3.375


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_widened(kind, dtype) -> None:
    torch.manual_seed(0)
    real, fake = torch.randn(2, 3, 1, 30, 30).to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = generator_loss(kind, fake), critic_loss(kind, real, fake)
    expected = generator_loss(kind, fake.float()), critic_loss(kind, real.float(), fake.float())
    assert {loss.dtype for loss in got} == {torch.float32}
    torch.testing.assert_close(got, expected)


def test_the_penalty_of_a_linear_critic() -> None:
    torch.manual_seed(0)
    w = torch.randn(3, 4, 4, dtype=torch.float64, requires_grad=True)
    real, fake = torch.randn(2, 5, 3, 4, 4, dtype=torch.float64)
    penalty = gradient_penalty(lambda x: (w * x).sum((1, 2, 3)), real, fake)
    norm = w.detach().norm()
    torch.testing.assert_close(penalty, (norm - 1) ** 2)
    penalty.backward()
    torch.testing.assert_close(w.grad, 2 * (norm - 1) * w.detach() / norm)


def test_the_penalty_is_each_samples_own() -> None:
    """The slope of half the square is the point itself; one norm over the batch would be another number."""
    lengths = torch.tensor([0.0, 0.5, 1.0, 4.0], dtype=torch.float64)
    points = F.normalize(torch.randn(4, 2, 3, 3, dtype=torch.float64).flatten(1)) * lengths[:, None]
    points = points.reshape(4, 2, 3, 3)
    penalty = gradient_penalty(lambda x: x.square().flatten(1).sum(1) / 2, points, points)
    assert penalty.item() == pytest.approx((1 + 0.25 + 0 + 9) / 4)


def test_a_critic_of_patches_is_penalised_for_the_sum_of_its_logits() -> None:
    def critic(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 2)

    real, fake = torch.randn(2, 3, 1, 8, 8, dtype=torch.float64)
    assert gradient_penalty(critic, real, fake).item() == pytest.approx((0.25 * 8 - 1) ** 2)


def test_it_looks_between_each_real_image_and_its_fake() -> None:
    points = []

    def critic(x: Tensor) -> Tensor:
        points.append(x.detach())
        return x.sum((1, 2, 3))

    torch.manual_seed(0)
    real, fake = torch.zeros(64, 2, 2, 2), torch.ones(64, 2, 2, 2)
    gradient_penalty(critic, real, fake)
    (between,) = points
    shares = between[:, :1, :1, :1]
    assert torch.equal(between, shares.expand_as(between))
    assert 0 <= shares.min() < 0.1 and 0.9 < shares.max() <= 1 and len(shares.unique()) == 64


@pytest.mark.parametrize("attention", [False, True])
def test_its_gradient_reaches_the_critic_and_no_image(attention) -> None:
    torch.manual_seed(0)
    critic = PatchCritic(in_channels=4, base=4, norm="instance", attention=attention)
    real, fake = torch.randn(2, 2, 4, 32, 32).requires_grad_()
    gradient_penalty(critic, real, fake).backward()
    moved = {name for name, p in critic.named_parameters() if p.grad is not None and p.grad.any()}
    assert {f"layers.{place}.0.weight" for place in (2, 4)} | {"layers.0.weight"} <= moved
    assert all(p.grad is None or p.grad.isfinite().all() for p in critic.parameters())


def test_a_critic_that_sees_no_difference_pays_one_and_stays_finite() -> None:
    w = torch.zeros(3, requires_grad=True)
    penalty = gradient_penalty(lambda x: (w[:, None, None] * x).sum((1, 2, 3)), *torch.randn(2, 2, 3, 4, 4))
    penalty.backward()
    assert penalty.item() == 1 and w.grad.isfinite().all()


def test_the_penalty_is_taken_in_full_precision() -> None:
    torch.manual_seed(0)
    critic = PatchCritic(in_channels=4, base=4, norm="instance")
    seen = []
    critic.layers[-1].register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    real, fake = torch.randn(2, 2, 4, 32, 32)
    torch.manual_seed(1)
    full = gradient_penalty(critic, real, fake)
    torch.manual_seed(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        critic(real)
        penalty = gradient_penalty(critic, real, fake)
        half = gradient_penalty(critic, real, fake.bfloat16())
    assert seen == [torch.float32, torch.bfloat16, torch.float32, torch.float32]
    torch.testing.assert_close(penalty, full, rtol=0, atol=0)
    assert half.dtype == torch.float32
