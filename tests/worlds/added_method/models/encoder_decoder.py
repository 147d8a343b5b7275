"""A translator of three convolutions."""

from __future__ import annotations

from torch import Tensor, nn

from rsforge.models.interfaces import describe


class EncoderDecoder(nn.Module):
    """Images ``(B, in_channels, H, W)`` to ``(B, out_channels, H, W)`` in [-1, 1]; even sides."""

    def __init__(self, *, in_channels: int, out_channels: int, base: int) -> None:
        super().__init__()
        self.architecture = describe(
            "encoder_decoder", {"in_channels": in_channels, "out_channels": out_channels, "base": base}
        )
        self.net = nn.Sequential(
            nn.Conv2d(in_channels, base, 4, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(base, base, 3, padding=1),
            nn.SiLU(),
            nn.ConvTranspose2d(base, out_channels, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.net(x)
        return y
