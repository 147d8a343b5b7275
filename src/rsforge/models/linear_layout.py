"""An :class:`AutoencoderKL` that computes a linear code exactly, in the layout that diffusers knows.

Residual blocks and attention add nothing, and the last normalisation and activation are undone by pairs of numbers
beside large constants. Training can go on from there: the constants are added by the last residual block, behind all
others.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rsforge.models.attention import PixelAttention
from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.models.linear_layers import (
    Pairs,
    act_on_pixels,
    clear,
    double,
    fold_pixels,
    order_of_pixels,
    read_pairs,
    write_kernel,
)
from rsforge.models.resnet import Downsample, ResnetBlock, Upsample


@torch.no_grad()
def write_linear_code(network: AutoencoderKL, mean: Tensor, encoder: Tensor, decoder: Sequence[Tensor]) -> None:
    """Let ``network`` encode and decode with a linear code, its weights changed in place.

    ``mean`` is ``(C,)``, ``encoder`` ``(k, C * factor**2, 3, 3)`` reads patches less the mean in the order of
    ``torch.pixel_unshuffle``, k at most ``latent_channels``: what is left of these stays zero. ``decoder`` holds a
    3 x 3 kernel for each time that pixels are repeated to twice the size. ``ValueError`` as for
    ``check_room``, and where the code is of another size.
    """
    factor = 2 ** len(decoder)
    if network.factor != factor or network.latent_channels < len(encoder):
        raise ValueError(f"a code of {len(encoder)} channels at 1/{factor} of the size does not fit this autoencoder")
    check_room(network)
    silence(network)
    _write_encoder(network, mean, encoder)
    _write_decoder(network, mean, len(encoder), decoder)


def check_room(network: AutoencoderKL) -> None:
    """``ValueError`` where a network has no second level, or levels too narrow for a linear code."""
    if network.factor == 1:
        raise ValueError("a linear code needs two levels or more")
    colours = network.decoder.conv_out.out_channels
    _pairs_before(network.encoder, colours * network.factor**2).check_room()
    _pairs_before(network.decoder, colours).check_room()
    for level, fold in enumerate(_changes_of_size(network.encoder), 1):
        needed = colours * 4**level
        if fold.out_channels < needed:
            raise ValueError(f"level {level} has {fold.out_channels} channels, and a linear code needs {needed} there")


def inner_width(network: AutoencoderKL) -> int:
    """The channels that a code may use between its kernels."""
    return min(layer.in_channels for layer in _changes_of_size(network.decoder))


def silence(network: AutoencoderKL) -> None:
    """Let residual blocks and attention pass on what they are given, in as many channels as there are."""
    for module in network.modules():
        if isinstance(module, ResnetBlock):
            clear(module.conv2)
            if isinstance(module.conv_shortcut, nn.Conv2d):
                kept = min(module.conv_shortcut.in_channels, module.conv_shortcut.out_channels)
                write_kernel(module.conv_shortcut, torch.eye(kept)[:, :, None, None])
        elif isinstance(module, PixelAttention):
            for last in module.to_out.parameters():
                last.zero_()


def _write_encoder(network: AutoencoderKL, mean: Tensor, code: Tensor) -> None:
    encoder, colours = network.encoder, len(mean)
    write_kernel(encoder.conv_in, act_on_pixels(torch.eye(colours)), -mean)
    count = colours
    for fold in _changes_of_size(encoder):
        write_kernel(fold, fold_pixels(count))
        count *= 4
    pairs = _pairs_before(encoder, count)
    double(_last_before(encoder), pairs)
    _add_constants(encoder, pairs)
    kernel = code[:, order_of_pixels(colours, network.factor)]
    read_pairs(encoder.conv_norm_out, encoder.conv_out, pairs, kernel, torch.zeros(len(kernel)))
    k = network.latent_channels
    write_kernel(network.quant_conv, torch.eye(k)[:, :, None, None])
    network.narrow_posterior()


def _write_decoder(network: AutoencoderKL, mean: Tensor, count: int, kernels: Sequence[Tensor]) -> None:
    decoder, colours = network.decoder, len(mean)
    write_kernel(network.post_quant_conv, torch.eye(network.latent_channels)[:, :, None, None])
    write_kernel(decoder.conv_in, act_on_pixels(torch.eye(count)))
    for layer, kernel in zip(_changes_of_size(decoder), kernels, strict=True):
        write_kernel(layer, kernel)
    pairs = _pairs_before(decoder, colours)
    double(_last_before(decoder), pairs)
    _add_constants(decoder, pairs)
    read_pairs(decoder.conv_norm_out, decoder.conv_out, pairs, act_on_pixels(torch.eye(colours)), mean)


def _pairs_before(part: nn.Module, count: int) -> Pairs:
    """The places of so many numbers before the last normalisation of an encoder or a decoder."""
    norm = part.conv_norm_out
    assert isinstance(norm, nn.GroupNorm)
    return Pairs(norm.num_channels, norm.num_groups, count)


def _changes_of_size(part: nn.Module) -> list[nn.Conv2d]:
    """The convolutions that halve the sides, or follow their doubling, from first to last."""
    return [layer.conv for layer in part.modules() if isinstance(layer, Downsample | Upsample)]


def _last_before(part: nn.Module) -> nn.Conv2d:
    """The convolution whose numbers a silenced encoder or decoder hands to its last normalisation as they are."""
    shortcuts = [layer.conv_shortcut for layer in part.modules() if isinstance(layer, ResnetBlock)]
    ways = {id(layer) for layer in (*_changes_of_size(part), *shortcuts)}
    return [layer for layer in part.modules() if isinstance(layer, nn.Conv2d) and id(layer) in ways][-1]


def _add_constants(part: nn.Module, pairs: Pairs) -> None:
    """Let the last residual block add them, so that no other block sees them."""
    last = [layer for layer in part.modules() if isinstance(layer, ResnetBlock)][-1]
    assert last.conv2.bias is not None
    last.conv2.bias.copy_(pairs.constants())
