"""The standardisation of latents put into an autoencoder, for programs that know one scaling factor alone."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from rsforge.models.autoencoder_kl import AutoencoderKL


@torch.no_grad()
def fold_latents(autoencoder: AutoencoderKL, mean: Tensor, std: Tensor) -> AutoencoderKL:
    """A copy whose latents are ``(z - mean) / std`` of the given one's; both have one number a channel, or one for all.

    ``ValueError`` for a mean or deviation of another shape: what differs from place to place cannot be put into it.
    """
    channels = autoencoder.latent_channels
    if mean.numel() not in (1, channels) or std.numel() not in (1, channels):
        raise ValueError(f"{mean.numel()} means and {std.numel()} deviations are not one for {channels} channels")
    m, s = (x.detach().flatten().expand(channels) for x in (mean, std))
    folded = copy.deepcopy(autoencoder)
    into, out_of = folded.quant_conv, folded.post_quant_conv
    m, s = m.to(into.weight), s.to(into.weight)
    assert into.bias is not None and out_of.bias is not None
    into.bias[:channels] = (into.bias[:channels] - m) / s
    into.bias[channels:] -= 2 * s.log()
    into.weight[:channels] /= s[:, None, None, None]
    out_of.bias += out_of.weight[:, :, 0, 0] @ m
    out_of.weight *= s[None, :, None, None]
    if folded.linear_path is not None:
        folded.linear_path.standardise(m, s)
    return folded
