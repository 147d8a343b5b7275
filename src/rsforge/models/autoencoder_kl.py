"""The KL autoencoder of Stable Diffusion, whose latent is a small map."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain, pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rsforge.models.attention import PixelAttention
from rsforge.models.interfaces import Autoencoder, describe
from rsforge.models.linear_path import LinearPath
from rsforge.models.recompute import Recomputable
from rsforge.models.resnet import Downsample, ResnetBlock, Upsample

EPS = 1e-6
FIRST_LOGVAR = -8.0
"""Of latents before training: noise that images do not show."""
Residual = Callable[[int, int], ResnetBlock]


class _Stage(Recomputable):
    """Residual blocks at one resolution, then a change of resolution where there is one."""

    def __init__(
        self, resnets: Iterable[nn.Module], down: Iterable[nn.Module] = (), up: Iterable[nn.Module] = ()
    ) -> None:
        super().__init__()
        self.resnets, self.downsamplers = nn.ModuleList(resnets), nn.ModuleList(down)
        self.upsamplers = nn.ModuleList(up)

    def forward(self, x: Tensor) -> Tensor:
        for layer in chain(self.resnets, self.downsamplers, self.upsamplers):
            x = self.recompute(layer, x)
        return x


class _Middle(Recomputable):
    def __init__(self, channels: int, groups: int, residual: Residual) -> None:
        super().__init__()
        self.attentions = nn.ModuleList([PixelAttention(channels, groups=groups)])
        self.resnets = nn.ModuleList(residual(channels, channels) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        for layer in (self.resnets[0], self.attentions[0], self.resnets[1]):
            x = self.recompute(layer, x)
        return x


def _residuals(before: int, width: int, number: int, residual: Residual) -> list[ResnetBlock]:
    return [residual(i, o) for i, o in pairwise((before, *[width] * number))]


class _Encoder(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, widths: Sequence[int], layers: int, groups: int) -> None:
        super().__init__()
        residual = partial(ResnetBlock, groups=groups, eps=EPS)
        self.conv_in = nn.Conv2d(in_channels, widths[0], 3, padding=1)
        self.down_blocks = nn.ModuleList()
        for before, width in pairwise((widths[0], *widths)):
            last = len(self.down_blocks) == len(widths) - 1
            down = [] if last else [Downsample(width, symmetric=False)]
            self.down_blocks.append(_Stage(_residuals(before, width, layers, residual), down=down))
        self.mid_block = _Middle(widths[-1], groups, residual)
        self.conv_norm_out = nn.GroupNorm(groups, widths[-1], eps=EPS)
        self.conv_out = nn.Conv2d(widths[-1], out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for stage in self.down_blocks:
            x = stage(x)
        y: Tensor = self.conv_out(F.silu(self.conv_norm_out(self.mid_block(x))))
        return y


class _Decoder(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, widths: Sequence[int], layers: int, groups: int) -> None:
        super().__init__()
        residual = partial(ResnetBlock, groups=groups, eps=EPS)
        self.conv_in = nn.Conv2d(in_channels, widths[-1], 3, padding=1)
        self.mid_block = _Middle(widths[-1], groups, residual)
        self.up_blocks = nn.ModuleList()
        for before, width in pairwise((widths[-1], *reversed(widths))):
            last = len(self.up_blocks) == len(widths) - 1
            up = [] if last else [Upsample(width)]
            self.up_blocks.append(_Stage(_residuals(before, width, layers + 1, residual), up=up))
        self.conv_norm_out = nn.GroupNorm(groups, widths[0], eps=EPS)
        self.conv_out = nn.Conv2d(widths[0], out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.mid_block(self.conv_in(x))
        for stage in self.up_blocks:
            x = stage(x)
        y: Tensor = self.conv_out(F.silu(self.conv_norm_out(x)))
        return y


class AutoencoderKL(Autoencoder):
    """Images to a map of ``latent_channels`` at 1/factor of their size, and back. Rombach et al. 2022, section 3.1.

    Names and shapes of the weights are those of ``diffusers.AutoencoderKL``; every option has the name and the
    meaning that it has in that configuration. ``factor`` is 2 to the number of widths less one: three widths make
    an f4, four an f8. ``encode`` gives ``mu`` and ``logvar`` ``(B, latent_channels, H/factor, W/factor)``,
    ``logvar`` in [-30, 20]; ``decode`` is not bounded, but near [-1, 1] once trained. No scaling factor is
    applied to the latents on either way.

    With a ``linear_path``, which diffusers does not know, a linear code of patches of ``factor`` x ``factor`` pixels is
    added to ``mu``, and what it says of the image to the image: the network learns the remainder. ``ValueError`` for it
    where images come out with other channels than go in.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        out_channels: int = 3,
        block_out_channels: Sequence[int] = (128, 256, 512, 512),
        layers_per_block: int = 2,
        latent_channels: int = 4,
        norm_num_groups: int = 32,
        linear_path: bool = False,
    ) -> None:
        super().__init__()
        self.architecture = describe("autoencoder_kl", locals())
        if linear_path and in_channels != out_channels:
            raise ValueError(f"a linear path gives {in_channels} channels back, not {out_channels}")
        widths = tuple(block_out_channels)
        self.factor, self.latent_channels = 2 ** (len(widths) - 1), latent_channels
        moments = 2 * latent_channels
        self.encoder = _Encoder(in_channels, moments, widths, layers_per_block, norm_num_groups)
        self.decoder = _Decoder(latent_channels, out_channels, widths, layers_per_block, norm_num_groups)
        self.quant_conv = nn.Conv2d(moments, moments, 1)
        self.post_quant_conv = nn.Conv2d(latent_channels, latent_channels, 1)
        self.narrow_posterior()
        self.linear_path = LinearPath(in_channels, self.factor, latent_channels) if linear_path else None

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mu, logvar = self.quant_conv(self.encoder(x)).chunk(2, dim=1)
        if self.linear_path is not None:
            mu = mu + self.linear_path.encode(x)
        return mu, logvar.clamp(-30, 20)

    def decode(self, z: Tensor) -> Tensor:
        x: Tensor = self.decoder(self.post_quant_conv(z))
        return x if self.linear_path is None else x + self.linear_path.decode(z)

    @torch.no_grad()
    def start_from_code(self, mean: Tensor, encoder: Tensor, decoder: Tensor) -> None:
        """Be what the linear path computes with this code of patches, of deviation 1; the rest adds nothing yet.

        Shapes are those of :meth:`LinearPath.set_code`. ``ValueError`` without a linear path.
        """
        if self.linear_path is None:
            raise ValueError("this autoencoder has no linear path")
        self.linear_path.set_code(mean, encoder, decoder)
        assert self.quant_conv.bias is not None
        for last in (*self.encoder.conv_out.parameters(), *self.decoder.conv_out.parameters(), self.quant_conv.bias):
            last.zero_()
        self.narrow_posterior()

    @torch.no_grad()
    def narrow_posterior(self) -> None:
        """Let the decoder see the latent at first, and not its noise."""
        assert self.quant_conv.bias is not None
        self.quant_conv.bias[self.latent_channels :] = FIRST_LOGVAR

    def latent_shape(self, image_size: int) -> tuple[int, ...]:
        if image_size < self.factor or image_size % self.factor:
            raise ValueError(f"image_size {image_size} is not a multiple of {self.factor}")
        return (self.latent_channels, image_size // self.factor, image_size // self.factor)
