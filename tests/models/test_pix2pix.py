"""The generator, against the paper's picture of it drawn another way."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rsforge.models.patch_gan import PatchCritic
from rsforge.models.pix2pix import Pix2PixUNet, depth_for

NORMS = {"batch": nn.BatchNorm2d, "instance": lambda width: nn.InstanceNorm2d(width, affine=True)}


class Around(nn.Module):
    """What ``layers`` make of the input, and the input itself."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.layers(x), x], 1)


def halved(i: int, o: int, *, bias: bool) -> nn.Module:
    return nn.Conv2d(i, o, 4, 2, 1, bias=bias)


def doubled(i: int, o: int, *, bias: bool) -> nn.Module:
    return nn.ConvTranspose2d(i, o, 4, 2, 1, bias=bias)


def papers_unet(i: int, o: int, depth: int, base: int, norm: str) -> nn.Module:
    """Isola et al. 2017, section 6.1.1, from the inside out: each level goes around the deeper ones."""
    widths, normed = [base, 2 * base, 4 * base, *[8 * base] * 5][:depth], NORMS[norm]
    inner: list[nn.Module] = [halved(widths[-2], widths[-1], bias=True), nn.ReLU()]
    wide = widths[-1]
    for level in range(depth - 1, 0, -1):
        outer = widths[level - 1]
        way_up = [doubled(wide, outer, bias=False), normed(outer), *([nn.Dropout(0.5)] if level >= 5 else [])]
        around = Around(nn.LeakyReLU(0.2), *inner, *way_up)
        wide = 2 * outer
        if level > 1:
            inner = [halved(widths[level - 2], outer, bias=False), normed(outer), around, nn.ReLU()]
    return nn.Sequential(halved(i, base, bias=True), around, nn.ReLU(), doubled(wide, o, bias=True), nn.Tanh())


def layers(net: nn.Module) -> list[nn.Module]:
    """Kind by kind, in the order in which features pass them."""
    kinds = nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d | nn.InstanceNorm2d
    return [module for kind in kinds for module in net.modules() if isinstance(module, kind)]


def given(target: nn.Module, source: nn.Module) -> nn.Module:
    """``target`` with the weights of ``source``."""
    for mine, theirs in zip(layers(target), layers(source), strict=True):
        mine.load_state_dict(theirs.state_dict())
    return target


def undropped(net: nn.Module) -> nn.Module:
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return net


def images(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 - 1


def small(**options: object) -> Pix2PixUNet:
    torch.manual_seed(1)
    return Pix2PixUNet(**{"depth": 5, "base": 4, **options}).double()


def trained(net: nn.Module, x: Tensor) -> list[Tensor]:
    """What ``net`` makes of ``x``, and the gradients of some loss: the input's, then the parameters'."""
    x = x.clone().requires_grad_()
    net.zero_grad()
    torch.manual_seed(3)
    y = net(x)
    (y * images(*y.shape, seed=9)).sum().backward()
    return [y.detach(), x.grad, *(p.grad for layer in layers(net) for p in layer.parameters())]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("i", "o", "number"), [(1, 3, 54_412_483), (3, 1, 54_410_433)])
def test_at_256_pixels_it_has_the_documents_size(norm, i, o, number) -> None:
    with torch.device("meta"):
        net = Pix2PixUNet(in_channels=i, out_channels=o, depth=depth_for(256), norm=norm)
        assert net(torch.empty(1, i, 256, 256)).shape == (1, o, 256, 256)
    assert sum(p.numel() for p in net.parameters()) == number
    assert (net.in_channels, net.out_channels, net.factor) == (i, o, 256)
    assert [layer[0].out_channels for layer in net.down] == [64, 128, 256, 512, 512, 512, 512, 512]
    assert [layer[0].out_channels for layer in net.up] == [512, 512, 512, 512, 256, 128, 64]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("depth", "side"), [(5, 64), (8, 256)])
def test_it_is_the_papers(norm, depth, side, training, stirred) -> None:
    ours = stirred(undropped(small(depth=depth, base=2, norm=norm)))
    theirs = given(undropped(papers_unet(1, 3, depth, 2, norm)).double(), ours)
    x = images(2, 1, side, side)
    torch.testing.assert_close(trained(ours.train(training), x), trained(theirs.train(training), x))
    for mine, other in zip(layers(ours), layers(theirs), strict=True):
        torch.testing.assert_close(list(mine.buffers()), list(other.buffers()))


@pytest.mark.parametrize(("side", "droppers"), [(32, 0), (64, 1), (128, 2), (256, 3), (512, 3)])
def test_dropout_is_where_the_paper_has_it(side, droppers) -> None:
    ours = small(depth=depth_for(side), base=2)
    theirs = given(papers_unet(1, 3, depth_for(side), 2, "instance").double(), ours)
    dropped = [any(isinstance(m, nn.Dropout) for m in layer) for layer in ours.up]
    assert dropped == [True] * droppers + [False] * (len(dropped) - droppers)
    if side < 256:
        x = images(2, 1, side, side)
        torch.testing.assert_close(trained(ours, x), trained(theirs, x))
        assert torch.equal(ours(x), ours(x)) == (not droppers)
        assert torch.equal(ours.eval()(x), ours(x))


def test_at_a_batch_of_one_instance_norm_trains_as_batch_norm_does(stirred) -> None:
    instance = stirred(small(depth=6, norm="instance")).train()
    batch = small(depth=6, norm="batch").train()
    assert not batch.load_state_dict(instance.state_dict(), strict=False).unexpected_keys
    x = images(1, 1, 64, 64)
    mine, other = trained(instance, x), trained(batch, x)
    torch.testing.assert_close(mine, other)
    assert all(gradient.abs().max() > 1e-3 for gradient in mine)
    two = images(2, 1, 64, 64)
    assert not torch.allclose(instance(two), batch(two))


def test_companions_in_the_batch_change_nothing(stirred) -> None:
    x, other = images(1, 1, 32, 32), images(1, 1, 32, 32, seed=5)
    for norm in NORMS:
        net = stirred(small(norm=norm))
        torch.testing.assert_close(net(torch.cat([x, other]))[:1], net(x))
    training = small(norm="instance").train()
    torch.testing.assert_close(training(torch.cat([x, other]))[:1], training(x))


@pytest.mark.parametrize(
    ("side", "depth"), [(16, 4), (32, 5), (48, 4), (64, 6), (128, 7), (192, 6), (256, 8), (320, 6), (384, 7), (512, 8)]
)
def test_depth_follows_the_side(side, depth) -> None:
    assert depth_for(side) == depth
    with torch.device("meta"):
        net = Pix2PixUNet(depth=depth, base=2)
        assert net(torch.empty(1, 1, side, side)).shape == (1, 3, side, side)


@pytest.mark.parametrize(("side", "near"), [(100, 96), (300, 304), (8, 16), (0, 16), (-16, 16), (257, 256)])
def test_a_side_that_is_no_multiple_is_refused_with_the_nearest(side, near) -> None:
    with pytest.raises(ValueError, match=f"{side} pixels is no multiple of 16; the nearest is {near}$"):
        depth_for(side)


@pytest.mark.parametrize(("height", "width"), [(32, 96), (64, 32), (160, 32)])
def test_images_need_not_be_square(height, width) -> None:
    assert small()(images(1, 1, height, width)).shape == (1, 3, height, width)


@pytest.mark.parametrize(("height", "width"), [(32, 48), (40, 32), (16, 16), (33, 33)])
def test_sides_that_do_not_fit_are_refused(height, width) -> None:
    with pytest.raises(ValueError, match=f"{height} x {width} pixels are no multiples of 32"):
        small()(images(1, 1, height, width))


def test_a_depth_without_a_third_level_is_refused() -> None:
    assert small(depth=3, attention=True)(images(1, 1, 8, 8)).shape == (1, 3, 8, 8)
    with pytest.raises(ValueError, match="a depth of 2; the least is 3"):
        small(depth=2)


@pytest.mark.parametrize("norm", NORMS)
def test_weights_start_where_the_document_says(norm) -> None:
    torch.manual_seed(0)
    norms = []
    for net in (Pix2PixUNet(base=8, norm=norm), PatchCritic(in_channels=4, base=8, norm=norm)):
        for name, p in net.named_parameters():
            if name.endswith("bias"):
                assert not p.any(), name
            elif p.dim() == 1:
                norms.append(p.detach())
            else:
                assert abs(p.mean()) < 5 * 0.02 / p.numel() ** 0.5, name
                assert p.std().item() == pytest.approx(0.02, rel=5 / p.numel() ** 0.5), name
    ones = torch.cat(norms)
    assert abs(ones.mean() - 1) < 5 * 0.02 / len(ones) ** 0.5
    assert ones.std().item() == pytest.approx(0.02, rel=0.2)


def test_biases_stand_only_where_nothing_is_normalised() -> None:
    net = small()
    convs = {n for n, m in net.named_modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d) and m.bias is not None}
    assert convs == {"down.0.0", "down.4.0", "to_image"}


def test_images_lie_between_minus_one_and_one_and_reach_both(stirred) -> None:
    net = stirred(small())
    with torch.no_grad():
        net.to_image.weight.mul_(100)
        y = net(images(1, 1, 32, 32))
    assert y.abs().max() <= 1 and y.max() > 0.99 and y.min() < -0.99


@pytest.mark.parametrize("level", range(4))
def test_every_level_is_skipped_across(level, stirred) -> None:
    net = stirred(small())
    x = images(1, 1, 32, 32)
    whole = net(x)
    above = [*(layer[0] for layer in net.up), net.to_image][len(net.up) - level]
    with torch.no_grad():
        above.weight[len(above.weight) // 2 :] = 0
    assert (net(x) - whole).abs().max() > 1e-3


def test_what_is_translated_is_left_as_it_is(stirred) -> None:
    net, x = stirred(small(attention=True)), images(1, 1, 32, 32)
    before = x.clone()
    net(x)
    assert torch.equal(x, before)


def test_attention_follows_the_third_level_and_starts_without_effect(stirred) -> None:
    plain, attentive = small(), small(attention=True)
    missing, unexpected = attentive.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected and {name.split(".")[0] for name in missing} == {"attention"}
    assert attentive.attention.out.out_channels == plain.down[2][0].out_channels
    x = images(1, 1, 32, 32)
    torch.testing.assert_close(attentive(x), plain(x))
    with torch.no_grad():
        attentive.attention.gamma.fill_(5.0)
    assert not torch.allclose(stirred(attentive)(x), stirred(plain)(x))


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("norm", NORMS)
def test_it_learns_under_autocast(norm, attention) -> None:
    net = undropped(small(norm=norm, attention=attention)).float()
    x = images(2, 1, 64, 64).float()
    full = net(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = net(x)
        y.float().square().mean().backward()
    torch.testing.assert_close(y.float(), full, atol=0.05, rtol=0)
    dead = {name for name, p in net.named_parameters() if not (p.grad.isfinite().all() and p.grad.any())}
    assert {name.split(".")[0] for name in dead} <= {"attention"}  # its gamma is zero


@pytest.mark.parametrize("attention", [False, True])
def test_it_can_be_exported(attention, stirred) -> None:
    net = stirred(small(attention=attention)).float()
    x = images(2, 1, 32, 32).float()
    program = torch.export.export(net, (torch.zeros_like(x),))
    torch.testing.assert_close(program.module()(x), net(x))
