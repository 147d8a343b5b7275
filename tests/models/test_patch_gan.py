"""The critic, against a plain stack of layers, and what of an image each of its logits sees."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rsforge.models.patch_gan import SMALLEST, PatchCritic, with_norm

NORMS = {"batch": nn.BatchNorm2d, "instance": lambda width: nn.InstanceNorm2d(width, affine=True)}


def plain(i: int, base: int, norm: str) -> nn.Sequential:
    normed = NORMS[norm]
    return nn.Sequential(
        *(nn.Conv2d(i, base, 4, 2, 1), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(base, 2 * base, 4, 2, 1, bias=False), normed(2 * base), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(2 * base, 4 * base, 4, 2, 1, bias=False), normed(4 * base), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(4 * base, 8 * base, 4, 1, 1, bias=False), normed(8 * base), nn.LeakyReLU(0.2)),
        nn.Conv2d(8 * base, 1, 4, 1, 1),
    )


def critic(**options: object) -> PatchCritic:
    torch.manual_seed(1)
    return PatchCritic(**{"in_channels": 4, "base": 4, **options}).double()


def images(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 - 1


@pytest.mark.parametrize("norm", NORMS)
def test_it_has_the_documents_size_and_gives_30_by_30_logits(norm) -> None:
    with torch.device("meta"):
        net = PatchCritic(in_channels=4, norm=norm)
        assert net(torch.empty(2, 4, 256, 256)).shape == (2, 1, 30, 30)
    assert sum(p.numel() for p in net.parameters()) == 2_766_657


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("norm", NORMS)
def test_it_is_the_plain_stack(norm, training, stirred) -> None:
    ours, theirs = stirred(critic(norm=norm)).train(training), plain(4, 4, norm).double().train(training)
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    x = images(2, 4, 64, 48)
    results = [net(x) for net in (ours, theirs)]
    torch.testing.assert_close(*results)
    for y in results:
        y.square().sum().backward()
    grads = [[p.grad for p in net.parameters()] for net in (ours, theirs)]
    torch.testing.assert_close(*grads)
    torch.testing.assert_close(list(ours.buffers()), list(theirs.buffers()))


def test_a_logit_sees_70_pixels(stirred) -> None:
    # Statistics of the image itself would let each logit see all of it.
    net = stirred(critic(norm="batch"))
    x = images(1, 4, 128, 128).requires_grad_()
    (seen,) = torch.autograd.grad(net(x)[0, 0, 7, 7], x)
    rows, columns = (seen[0].abs().sum((0, axis)).nonzero().flatten() for axis in (2, 1))
    assert len(rows) == len(columns) == 70
    assert rows[-1] - rows[0] == columns[-1] - columns[0] == 69
    (other,) = torch.autograd.grad(net(x)[0, 0, 8, 7], x)
    assert other[0].abs().sum((0, 2)).nonzero()[0] == rows[0] + 8


def test_logits_are_not_squashed(stirred) -> None:
    net = stirred(critic())
    with torch.no_grad():
        net.layers[-1].weight.mul_(1000)
        assert net(images(1, 4, 64, 64)).abs().max() > 10


def test_at_a_batch_of_one_instance_norm_trains_as_batch_norm_does(stirred) -> None:
    instance, batch = stirred(critic(norm="instance")).train(), critic(norm="batch").train()
    assert not batch.load_state_dict(instance.state_dict(), strict=False).unexpected_keys
    x, two = images(1, 4, 64, 64), images(2, 4, 64, 64)
    torch.testing.assert_close(instance(x), batch(x))
    assert not torch.allclose(instance(two), batch(two))


@pytest.mark.parametrize("norm", NORMS)
def test_the_smallest_side(norm) -> None:
    net = critic(norm=norm)
    assert net(images(1, 4, SMALLEST, SMALLEST)).shape == (1, 1, 1, 1)
    assert net(images(1, 4, 32, 40)).shape == (1, 1, 2, 3)
    for height, width in ((SMALLEST - 1, 64), (64, SMALLEST - 1)):
        with pytest.raises(ValueError, match=f"{height} x {width} pixels are under {SMALLEST}"):
            net(images(1, 4, height, width))


def test_no_logit_is_left_below_the_smallest_side() -> None:
    with pytest.raises(RuntimeError, match="Kernel size"):
        plain(4, 4, "batch").double().eval()(images(1, 4, SMALLEST - 1, SMALLEST - 1))


def test_what_is_judged_is_left_as_it_is() -> None:
    x = images(1, 4, 32, 32)
    before = x.clone()
    critic()(x)
    assert torch.equal(x, before)


def test_attention_follows_the_third_level_and_starts_without_effect(stirred) -> None:
    simple, attentive = critic(), critic(attention=True)
    place = next(i for i, m in enumerate(attentive.layers) if hasattr(m, "gamma"))
    assert isinstance(attentive.layers[place - 2][0], nn.Conv2d) and attentive.layers[place - 2][0].out_channels == 16
    layers = [m for i, m in enumerate(attentive.layers) if i != place]
    nn.Sequential(*layers).load_state_dict(simple.layers.state_dict())
    x = images(2, 4, 64, 64)
    torch.testing.assert_close(attentive(x), simple(x))
    stirred(attentive)
    assert not torch.allclose(attentive(x), nn.Sequential(*layers)(x))


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("norm", NORMS)
def test_it_learns_under_autocast(norm, attention) -> None:
    net = critic(norm=norm, attention=attention).float()
    x = images(2, 4, 64, 64).float()
    full = net(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = net(x)
        logits.float().square().mean().backward()
    torch.testing.assert_close(logits.float(), full, atol=0.05, rtol=0.05)
    assert all(p.grad.isfinite().all() for p in net.parameters())
    assert all(p.grad.any() for name, p in net.named_parameters() if ".6." not in name or not attention)


def test_an_unknown_norm_is_refused() -> None:
    with pytest.raises(ValueError, match="'group'; known are batch, instance"):
        with_norm(nn.Conv2d(1, 1, 1), "group")
