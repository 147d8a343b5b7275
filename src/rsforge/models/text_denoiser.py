"""A denoiser that reads its texts itself, so that both learn together."""

from __future__ import annotations

from torch import Tensor

from rsforge.models.interfaces import Denoiser
from rsforge.models.text_encoder import TextEncoder


class TextDenoiser(Denoiser):
    """``unet`` told by the token ids ``(B, N)`` that are given as its context, through ``text_encoder``.

    It is a way of calling the two; each is described and saved by itself.
    """

    def __init__(self, unet: Denoiser, text_encoder: TextEncoder) -> None:
        super().__init__()
        self.unet, self.text_encoder = unet, text_encoder
        self.architecture = unet.architecture

    def forward(
        self,
        x_t: Tensor,
        t: Tensor | int,
        context: Tensor | None = None,
        condition: Tensor | None = None,
        context_mask: Tensor | None = None,
        vector: Tensor | None = None,
    ) -> Tensor:
        if context is None:
            raise ValueError("token ids are needed as the context")
        read = self.text_encoder(context)
        return self.unet(x_t, t, context=read, condition=condition, context_mask=context_mask, vector=vector)

    def start_at_zero(self) -> None:
        self.unet.start_at_zero()
