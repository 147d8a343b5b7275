"""What all networks that predict bands promise: the start, the range, the sizes, and how they may be tiled."""

from __future__ import annotations

import io

import pytest
import torch

from rsforge.models.recompute import use_checkpointing
from rsforge.models.spectral.back_projection import REACH

STAGE_1 = ("spectral_sr", "spectral_unmixing", "spectral_transformer")
STAGE_2 = ("spatial_sr", "lightweight")
WITH_RIDGE = ("spectral_sr", "spectral_transformer")


@pytest.mark.parametrize("name", WITH_RIDGE)
def test_it_starts_as_the_ridge_solution(name, network, image) -> None:
    net, x = network(name), image(2, 3, 7, 5)
    weight, bias = image(9, 3, seed=1) - 0.5, image(9, seed=2)
    net.set_ridge(weight, bias)
    expected = torch.einsum("bi,nihw->nbhw", weight, x) + bias[:, None, None]
    torch.testing.assert_close(net(x), expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(net.train()(x), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", WITH_RIDGE)
def test_the_ridge_solution_is_stored_but_not_trained(name, network, image, stirred) -> None:
    net = stirred(network(name))
    net.set_ridge(image(9, 3), image(9))
    net.set_residual_scale(image(9))
    net.set_range(image(9) / 3, image(9) / 2 + 0.5)
    stored = io.BytesIO()
    torch.save(net.state_dict(), stored)
    stored.seek(0)
    again = network(name)
    again.load_state_dict(torch.load(stored, weights_only=True), strict=True)
    x = image(1, 3, 8, 8)
    assert torch.equal(again(x), net(x))
    trained = dict(net.named_parameters())
    buffers = {"ridge_weight", "ridge_bias", "residual_scale", "lowest", "highest"}
    assert buffers <= dict(net.named_buffers()).keys() and not buffers & trained.keys()
    assert all(value.isfinite().all() for value in again.state_dict().values())


@pytest.mark.parametrize("name", WITH_RIDGE)
def test_the_ridge_solution_keeps_its_precision_under_autocast(name, network, image) -> None:
    net, x = network(name).float(), image(1, 3, 8, 8).float()
    net.set_ridge(image(9, 3, seed=1), image(9, seed=2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = net(x)
    torch.testing.assert_close(y, net(x), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", STAGE_1 + STAGE_2)
def test_it_learns_under_autocast(name, network, image, stirred) -> None:
    net = stirred(network(name)).float().train()
    x = image(1, 3, 9, 8).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = net(x)
    y.float().square().mean().backward()
    torch.testing.assert_close(y.float(), net(x), atol=0.1, rtol=0.1)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("name", STAGE_1 + STAGE_2)
def test_every_parameter_learns_once_the_residual_has_left_zero(name, network, image, stirred) -> None:
    net = stirred(network(name)).train()
    net(image(2, 3, 9, 10)).square().mean().backward()
    assert [key for key, p in net.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("name", WITH_RIDGE + STAGE_2)
def test_the_first_step_leaves_the_start(name, network, image) -> None:
    net = network(name).train()
    net(image(1, 3, 9, 8)).sum().backward()
    assert net.leave.weight.grad.any() and not net.leave.weight.any()


@pytest.mark.parametrize("name", WITH_RIDGE + STAGE_2)
def test_the_residual_is_scaled_band_by_band(name, network, image, stirred) -> None:
    net, x = network(name), image(1, 3, 8, 9)
    start = net(x)
    stirred(net)
    plain = net(x) - start
    scale = torch.arange(plain.shape[1], dtype=torch.float64)
    net.set_residual_scale(scale)
    torch.testing.assert_close(net(x) - start, plain * scale[:, None, None])
    assert plain.abs().max() > 1e-3


@pytest.mark.parametrize("name", STAGE_1 + STAGE_2)
def test_the_range_of_the_data_holds_in_evaluation_and_hides_no_gradient_in_training(
    name, network, image, stirred
) -> None:
    net, x = stirred(network(name)), image(1, 3, 9, 8)
    free = net(x)
    low, high = (free.amin((0, 2, 3)) * share + free.amax((0, 2, 3)) * (1 - share) for share in (0.7, 0.3))
    net.set_range(low, high)
    held = net(x)
    torch.testing.assert_close(held, free.clamp(low[:, None, None], high[:, None, None]))
    assert not torch.equal(held, free)
    assert torch.equal(net.train()(x), free)


@pytest.mark.parametrize("name", STAGE_1 + STAGE_2)
@pytest.mark.parametrize("sides", [(1, 1), (1, 6), (7, 5), (34, 33)])
def test_sides_may_be_odd_and_as_small_as_a_pixel(name, sides, network, image, stirred) -> None:
    net = stirred(network(name))
    y = net(image(2, 3, *sides))
    expected = net.output_size(*sides) if name in STAGE_2 else sides
    assert y.shape == (2, len(net.lowest), *expected) and y.isfinite().all()


@pytest.mark.parametrize("name", STAGE_1 + STAGE_2)
def test_another_number_of_bands_is_refused(name, network, image) -> None:
    with pytest.raises(ValueError, match="3 bands are expected"):
        network(name)(image(1, 4, 8, 8))


def test_buffers_of_other_shapes_are_refused(network, image) -> None:
    net = network("spectral_sr")
    with pytest.raises(ValueError, match="ridge weights of shape"):
        net.set_ridge(image(3, 9), image(9))
    with pytest.raises(ValueError, match="ridge biases of shape"):
        net.set_ridge(image(9, 3), image(1))
    with pytest.raises(ValueError, match="highest values of shape"):
        net.set_range(image(9), image(8))


@pytest.mark.parametrize("name", STAGE_1 + STAGE_2)
def test_a_pixel_depends_on_its_receptive_field_alone(name, network, image, stirred) -> None:
    net = stirred(network(name))
    reach, scale = net.receptive_field // 2, net.scale if name in STAGE_2 else 1
    side = 2 * reach + 9
    x = image(1, 3, side, side).requires_grad_()
    y, widest = net(x).sum((0, 1)), 0
    for pixel in range(side // 2 - 2, side // 2 + 2):
        place = int((2 * pixel + 1) * scale / 2)
        (seen,) = torch.autograd.grad(y[place, place], x, retain_graph=True)
        rows = seen[0].abs().sum((0, 2)).nonzero().flatten()
        assert pixel - reach <= rows[0] and rows[-1] <= pixel + reach
        widest = max(widest, pixel - int(rows[0]), int(rows[-1]) - pixel)
    # Or tiles would carry margins for nothing; the field of fine pixels is rounded up to whole ones, and their networks
    # fill holes, of which there are none here, from farther away.
    assert widest == reach if name in STAGE_1 else widest >= reach - 1 - REACH


@pytest.mark.parametrize("name", STAGE_1 + STAGE_2)
def test_a_tile_with_its_margin_is_the_scene(name, network, image, stirred) -> None:
    net = stirred(network(name))
    step, margin = net.tile_step, -(-(net.receptive_field // 2) // net.tile_step) * net.tile_step
    begin, size = 3 * step, 2 * margin + 4 * step
    scene = image(1, 3, 2 * size + 1, 2 * size + 3)
    whole = net(scene)
    tile = net(scene[..., begin : begin + size, 2 * begin : 2 * begin + size])
    scale = net.scale if name in STAGE_2 else 1
    inner, length = int(margin * scale), int(4 * step * scale)
    row, column = (int(k * scale) + inner for k in (begin, 2 * begin))
    found = tile[..., inner : inner + length, inner : inner + length]
    torch.testing.assert_close(found, whole[..., row : row + length, column : column + length], atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", ["spectral_sr", "spectral_transformer", "spatial_sr", "lightweight"])
def test_checkpointing_changes_no_gradient_and_keeps_less(name, network, image, stirred) -> None:
    net, x = stirred(network(name)).train(), image(1, 3, 12, 9)

    def pass_through(on: bool):
        use_checkpointing(net, on)
        net.zero_grad()
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.nbytes) or t, lambda t: t):
            y = net(x)
        y.square().mean().backward()
        return sum(kept), [p.grad.clone() for p in net.parameters()]

    (much, plain), (little, again) = pass_through(False), pass_through(True)
    torch.testing.assert_close(again, plain, atol=1e-14, rtol=1e-12)
    assert little < 0.8 * much
