"""The one U-Net: unconditional, conditioned on a text, or given an image to translate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import or_

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rsforge.models.attention import SpatialTransformer
from rsforge.models.embedding import TimeEmbedding, VectorEmbedding
from rsforge.models.interfaces import Denoiser, describe
from rsforge.models.recompute import Recomputable
from rsforge.models.resnet import Downsample, ResnetBlock, Upsample

EPS = 1e-5
DOWN = {"CrossAttnDownBlock2D": True, "DownBlock2D": False}
UP = {"CrossAttnUpBlock2D": True, "UpBlock2D": False}
Modules = Iterable[nn.Module]
Context = tuple[Tensor | None, Tensor | None]
"""Tokens, and which of them count."""


class _Stage(Recomputable):
    """Residual blocks at one resolution, each followed by attention where the stage has any."""

    def __init__(self, resnets: Modules, attentions: Modules) -> None:
        super().__init__()
        self.resnets, self.attentions = nn.ModuleList(resnets), nn.ModuleList(attentions)

    def layer(self, index: int, x: Tensor, emb: Tensor, context: Context) -> Tensor:
        x = self.resnets[index](x, emb)
        if self.attentions:
            x = self.attentions[index](x, *context)
        return x

    def run(self, index: int, x: Tensor, emb: Tensor, context: Context) -> Tensor:
        return self.recompute(self.layer, index, x, emb, context)


class _Down(_Stage):
    def __init__(self, resnets: Modules, attentions: Modules, resize: Modules) -> None:
        super().__init__(resnets, attentions)
        self.downsamplers = nn.ModuleList(resize)

    def forward(self, x: Tensor, emb: Tensor, context: Context) -> list[Tensor]:
        """Every intermediate result; the last is where the way goes on."""
        kept = []
        for index in range(len(self.resnets)):
            x = self.run(index, x, emb, context)
            kept.append(x)
        return kept + [down(x) for down in self.downsamplers]


class _Middle(_Stage):
    def layer(self, index: int, x: Tensor, emb: Tensor, context: Context) -> Tensor:
        x = self.attentions[0](self.resnets[0](x, emb), *context)
        y: Tensor = self.resnets[1](x, emb)
        return y

    def forward(self, x: Tensor, emb: Tensor, context: Context) -> Tensor:
        return self.run(0, x, emb, context)


class _Up(_Stage):
    def __init__(self, resnets: Modules, attentions: Modules, resize: Modules) -> None:
        super().__init__(resnets, attentions)
        self.upsamplers = nn.ModuleList(resize)

    def forward(self, x: Tensor, skips: list[Tensor], emb: Tensor, context: Context) -> Tensor:
        """Take one of ``skips`` from its end for every residual block."""
        for index in range(len(self.resnets)):
            x = self.run(index, torch.cat([x, skips.pop()], dim=1), emb, context)
        for up in self.upsamplers:
            x = up(x, tuple(skips[-1].shape[2:]))  # odd sizes come back as they went
        return x


def _kinds(blocks: Sequence[str], known: dict[str, bool], number: int) -> list[bool]:
    if len(blocks) != number or not set(blocks) <= set(known):
        raise ValueError(f"block types {list(blocks)}: {number} of {list(known)} are needed, one per width")
    return [known[block] for block in blocks]


def _heads(
    widths: Sequence[int], attentive: Sequence[bool], number: int | Sequence[int], width: int | None
) -> list[int]:
    """Heads per stage, from their number or from the channels of one."""
    numbers = [number] * len(widths) if isinstance(number, int) else list(number)
    if len(numbers) != len(widths):
        raise ValueError(f"attention_head_dim {numbers} and block_out_channels {list(widths)} differ in length")
    heads = []
    for channels, count, used in zip(widths, numbers, attentive, strict=True):
        share, rest = divmod(channels, width or count)
        if used and rest:
            what = f"heads of head_width {width}" if width else f"attention_head_dim {count} heads"
            raise ValueError(f"{channels} channels cannot be divided into {what}")
        heads.append(share if width else count)
    return heads


@dataclass(frozen=True)
class _Builder:
    """Makes the stages; ``stage`` counts resolutions from the finest, going down and going up."""

    widths: tuple[int, ...]
    heads: list[int]
    layers: int
    residual: Callable[[int, int], ResnetBlock]
    transformer: Callable[..., SpatialTransformer]

    def down(self, stage: int, attentive: bool) -> _Down:
        width, coarsest = self.widths[stage], stage == len(self.widths) - 1
        arriving = [self.widths[max(0, stage - 1)], *[width] * (self.layers - 1)]
        resnets = [self.residual(channels, width) for channels in arriving]
        resize = [] if coarsest else [Downsample(width, symmetric=True)]
        return _Down(resnets, self._attentions(stage, self.layers * attentive), resize)

    def middle(self) -> _Middle:
        width = self.widths[-1]
        return _Middle([self.residual(width, width) for _ in range(2)], self._attentions(-1, 1))

    def up(self, stage: int, attentive: bool) -> _Up:
        width, number = self.widths[stage], self.layers + 1
        arriving = [self.widths[min(stage + 1, len(self.widths) - 1)], *[width] * self.layers]
        skipped = [*[width] * self.layers, self.widths[max(0, stage - 1)]]
        resnets = [self.residual(a + s, width) for a, s in zip(arriving, skipped, strict=True)]
        resize = [Upsample(width)] if stage else []
        return _Up(resnets, self._attentions(stage, number * attentive), resize)

    def _attentions(self, stage: int, number: int) -> list[SpatialTransformer]:
        return [self.transformer(self.widths[stage], heads=self.heads[stage]) for _ in range(number)]


class UNet(Denoiser):
    """Predict ``(B, out_channels, H, W)`` from ``x_t`` ``(B, C, H, W)`` of any size. Rombach et al. 2022.

    Options, names and shapes of the weights are those of ``diffusers.UNet2DConditionModel`` as Stable Diffusion
    1.x and 2.x configure it; ``up_block_types`` mirrors ``down_block_types`` when it is not given. A trap is kept
    with them: ``attention_head_dim`` is the *number* of heads, one for all stages or one per stage.
    ``head_width`` overrides it by the channels of one head (our presets: 32 or 64). ``cross_attention_dim=None``
    leaves ``norm2`` and ``attn2`` out of every transformer block, as diffusers' ``Transformer2DModel`` does;
    a whole network of that kind has no counterpart there, for ``UNet2DConditionModel`` refuses it.

    ``condition`` ``(B, K, H, W)`` is concatenated behind ``x_t``, so ``in_channels`` counts C + K. ``vector``
    ``(B, projection_class_embeddings_input_dim)`` passes two layers and is added to the time embedding.
    ``ValueError`` for options that do not fit together and for inputs that the network has no place for.
    """

    def __init__(
        self,
        *,
        in_channels: int = 4,
        out_channels: int = 4,
        block_out_channels: Sequence[int] = (320, 640, 1280, 1280),
        layers_per_block: int = 2,
        down_block_types: Sequence[str] = (*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"),
        up_block_types: Sequence[str] | None = None,
        attention_head_dim: int | Sequence[int] = 8,
        head_width: int | None = None,
        cross_attention_dim: int | None = 768,
        use_linear_projection: bool = False,
        norm_num_groups: int = 32,
        transformer_layers_per_block: int = 1,
        projection_class_embeddings_input_dim: int | None = None,
    ) -> None:
        super().__init__()
        self.architecture = describe("unet", locals())
        widths = tuple(block_out_channels)
        mirrored = tuple(block.replace("Down", "Up") for block in reversed(down_block_types))
        ups = mirrored if up_block_types is None else tuple(up_block_types)
        self.in_channels, self.cross_attention_dim = in_channels, cross_attention_dim
        self.vector_width = projection_class_embeddings_input_dim
        self.time_embedding = TimeEmbedding(widths[0], 4 * widths[0])
        if self.vector_width is not None:
            self.class_embedding = VectorEmbedding(self.vector_width, 4 * widths[0])
        residual = partial(ResnetBlock, groups=norm_num_groups, eps=EPS, time_width=4 * widths[0])
        transformer = partial(
            SpatialTransformer,
            context_width=cross_attention_dim,
            depth=transformer_layers_per_block,
            groups=norm_num_groups,
            linear=use_linear_projection,
        )
        down = _kinds(down_block_types, DOWN, len(widths))
        up = _kinds(ups, UP, len(widths))
        attentive = [*map(or_, down[:-1], up[:0:-1]), True]
        heads = _heads(widths, attentive, attention_head_dim, head_width)
        build = _Builder(widths, heads, layers_per_block, residual, transformer)
        self.conv_in = nn.Conv2d(in_channels, widths[0], 3, padding=1)
        self.down_blocks = nn.ModuleList(build.down(stage, has) for stage, has in enumerate(down))
        self.mid_block = build.middle()
        stages = reversed(range(len(widths)))
        self.up_blocks = nn.ModuleList(build.up(stage, has) for stage, has in zip(stages, up, strict=True))
        self.conv_norm_out = nn.GroupNorm(norm_num_groups, widths[0], eps=EPS)
        self.conv_out = nn.Conv2d(widths[0], out_channels, 3, padding=1)

    def forward(
        self,
        x_t: Tensor,
        t: Tensor | int,
        context: Tensor | None = None,
        condition: Tensor | None = None,
        context_mask: Tensor | None = None,
        vector: Tensor | None = None,
    ) -> Tensor:
        x = x_t if condition is None else torch.cat([x_t, condition], dim=1)
        self._check(x, context, context_mask, vector)
        emb = self.time_embedding(t, x)
        if vector is not None:
            emb = emb + self.class_embedding(vector)
        attended = (context, context_mask)
        x = self.conv_in(x)
        skips = [x]
        for stage in self.down_blocks:
            skips += stage(skips[-1], emb, attended)
        x = self.mid_block(skips[-1], emb, attended)
        for stage in self.up_blocks:
            x = stage(x, skips, emb, attended)
        y: Tensor = self.conv_out(F.silu(self.conv_norm_out(x)))
        return y

    def start_at_zero(self) -> None:
        for parameter in self.conv_out.parameters():
            nn.init.zeros_(parameter)

    def _check(self, x: Tensor, context: Tensor | None, mask: Tensor | None, vector: Tensor | None) -> None:
        if x.shape[1] != self.in_channels:
            raise ValueError(
                f"x_t and condition have {x.shape[1]} channels together, in_channels is {self.in_channels}"
            )
        given, needed = None if context is None else context.shape[-1], self.cross_attention_dim
        if given != needed:
            raise ValueError(f"the context is {given} wide, cross_attention_dim is {needed}")
        if mask is not None and (context is None or mask.shape != context.shape[:2]):
            raise ValueError(f"a context_mask of {tuple(mask.shape)} fits no context, or not this one")
        given = None if vector is None else vector.shape[-1]
        if given != self.vector_width:
            raise ValueError(
                f"the vector is {given} wide, projection_class_embeddings_input_dim is {self.vector_width}"
            )
