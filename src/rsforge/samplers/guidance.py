"""Classifier-free guidance: further from what the network says without its inputs. Ho & Salimans 2022."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import torch
from torch import Tensor

from rsforge.models.conditioning import Conditioning

Network = Callable[..., Tensor]


def guided_network(
    network: Network,
    conditioning: Conditioning,
    values: Mapping[str, Tensor],
    guidance_scale: float = 1.0,
    *,
    names: Iterable[str] | None = None,
    guidance_rescale: float = 0.0,
    at_once: bool = True,
) -> Callable[[Tensor, Tensor], Tensor]:
    """``network`` with its inputs ``values``, as the function of ``(x_t, t)`` that a sampler's denoiser is made of.

    The output is ``null + guidance_scale * (output - null)``, where ``null`` is that without the inputs ``names``, or
    without all that training left out at times (arXiv 2207.12598, Eq. 6, with ``guidance_scale = 1 + w``). Both halves
    go through the network in one batch of twice the size, or one after the other unless ``at_once``; a scale of 1 is
    the network itself. It is the same of eps, v, x_0 and flow, which are linear in each other, but not with
    ``guidance_rescale``, of :func:`rescale_deviation`. RSF-U005 where training never left the inputs out.
    """
    names = None if names is None else list(names)
    conditioning.check_guidance(guidance_scale, names)
    with_inputs = partial(network, **conditioning.as_arguments(values))
    if guidance_scale == 1:
        return with_inputs
    without = partial(network, **conditioning.as_arguments(conditioning.with_null(values, names)))
    pair = _in_one_batch(network, without, with_inputs) if at_once else _one_by_one(without, with_inputs)

    def guided_output(x_t: Tensor, t: Tensor) -> Tensor:
        null, output = pair(x_t, t)
        return rescale_deviation(null + guidance_scale * (output - null), output, guidance_rescale)

    return guided_output


def rescale_deviation(guided: Tensor, output: Tensor, share: float) -> Tensor:
    """``guided`` with its deviation moved by ``share``, in [0, 1], to that of ``output``, both ``(B, C, ...)``.

    Strong guidance makes outputs larger than those that training saw. Deviations are those of each image over all its
    channels; where an image has none it stays as it is. arXiv 2305.08891, Eq. 15 and 16, where the share is phi.
    """
    if share == 0:
        return guided
    numbers = tuple(range(1, guided.ndim))
    wanted, deviation = (x.float().std(numbers, keepdim=True) for x in (output, guided))
    factor = torch.where(deviation > 0, wanted / deviation, 1)
    return guided * (share * factor + 1 - share).to(guided.dtype)


Pair = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def _in_one_batch(network: Network, without: partial[Tensor], with_inputs: partial[Tensor]) -> Pair:
    inputs = {name: torch.cat([without.keywords[name], x]) for name, x in with_inputs.keywords.items()}

    def both(x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        null, output = network(torch.cat([x_t, x_t]), torch.cat([t, t]), **inputs).chunk(2)
        return null, output

    return both


def _one_by_one(without: Network, with_inputs: Network) -> Pair:
    return lambda x_t, t: (without(x_t, t), with_inputs(x_t, t))
