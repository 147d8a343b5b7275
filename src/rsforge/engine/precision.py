"""Which arithmetic a device can really do, and autocast with its loss scale."""

from __future__ import annotations

from dataclasses import dataclass

import torch

_CPU_NEEDS = {"bf16": ("avx512_bf16", "amx_bf16"), "fp16": ("amx_fp16",)}
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True)
class Precision:
    """The autocast dtype (None is fp32) and a line for the user when it is not what was asked for."""

    dtype: torch.dtype | None = None
    note: str = ""

    def autocast(self, device: torch.device) -> torch.autocast:
        return torch.autocast(device.type, self.dtype, enabled=self.dtype is not None)

    def scaler(self, device: torch.device) -> torch.amp.GradScaler:
        return torch.amp.GradScaler(device.type, enabled=self.dtype is torch.float16)


def cpu_has(name: str) -> bool:
    """Whether this processor computes ``bf16`` or ``fp16`` in hardware that pays."""
    have = torch.cpu.get_capabilities()
    return any(have.get(flag, False) for flag in _CPU_NEEDS[name])


def choose(wanted: str, device: torch.device) -> Precision:
    """The precision for ``wanted`` in no, auto, bf16, fp16 on ``device``.

    ``auto`` is bf16 where a GPU has it, else fp16 on a GPU, else fp32. A processor without the hardware for fp16 gets
    bf16 where it has that, else fp32, and a line saying so: emulated halves are several times slower than fp32.
    """
    if wanted == "auto":
        wanted = _automatic(device)
    if wanted == "no":
        return Precision()
    if device.type == "cpu" and wanted == "fp16" and not cpu_has("fp16") and cpu_has("bf16"):
        return Precision(_DTYPES["bf16"], "this processor has no fp16 arithmetic: training in bf16")
    if device.type == "cpu" and not cpu_has(wanted):
        return Precision(note=f"this processor has no {wanted} arithmetic: training in fp32, which is faster here")
    return Precision(_DTYPES[wanted])


def _automatic(device: torch.device) -> str:
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "no"
