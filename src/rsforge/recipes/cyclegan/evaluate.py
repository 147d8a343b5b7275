"""``rsforge cyclegan evaluate``: translations measured beside what costs nothing, with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rsforge.data.io.image_writer import to_uint8
from rsforge.data.io.threads import in_threads
from rsforge.data.pairs.dataset import PairDataset
from rsforge.engine import devices
from rsforge.engine.loader import IndexedDataset
from rsforge.metrics.image import psnr, ssim
from rsforge.metrics.inception import RANK, FeatureSet, frechet_distance, kernel_distance
from rsforge.models.pix2pix import Pix2PixUNet
from rsforge.recipes.console import Console
from rsforge.recipes.cyclegan.load import load_generator
from rsforge.recipes.datasets.pairs_of_checkpoint import Measured, one_side
from rsforge.recipes.evaluation import report as evaluation_report
from rsforge.recipes.evaluation.learned_metrics import Learned, learned_metrics
from rsforge.recipes.training import output_dir
from rsforge.seeds import derive
from rsforge.settings.cyclegan import CycleGanEvaluateSettings

EQUAL_DB = 10 * float(np.log10(12 * 255**2))
"""What rounding to 8 bits alone leaves, 58.9 dB: optical images are of 8 bits, so nothing is told above it."""

KID_KEEPS, KID_FEW = 10_000, 100

Values = dict[str, dict[str, Any]]
"""By predictor and figure, one number an image."""

table = evaluation_report.table


@torch.no_grad()
def evaluate(settings: CycleGanEvaluateSettings, show: Console) -> dict[str, Any]:
    """Figures of the model and of two baselines by image and over the set, and what the model gains.

    The baselines are the SAR image as grey (its first band) and the mean colour of the optical images measured, which
    is harder to beat than that of the training images.
    """
    evaluation_report.check_output(settings.output_dir, overwrite=settings.overwrite)
    device = devices.choose(settings.device)
    net, restored = load_generator(settings.checkpoint, device, "sar2optical")
    measured = one_side(settings.data, settings.side, show, on_bad=settings.on_bad, state=restored.state)
    learned = learned_metrics(settings.vgg_weights, settings.inception_weights, device, show)
    count = len(measured.samples)
    told = {
        "checkpoint": str(settings.checkpoint),
        "weights": restored.digest,
        "data_dir": str(settings.data.data_dir),
        "side": settings.side,
        "images": count,
        "scenes": len(set(measured.scenes) - {""}),
        "image_size": restored.state["image_size"],
        "scaled": _scaled(measured.samples, restored.state["image_size"]),
        "trained_on": measured.trained,
    }
    if show.dry_run:
        return told | {"absent": learned.absent, "output_dir": str(settings.output_dir or "nothing is written")}
    if settings.output_dir is not None:
        output_dir.make(settings.output_dir)
    colour = _mean_colour(measured.samples, settings.batch_size, show)
    values, sets = _measured(net, measured.samples, colour, learned, settings.batch_size, device, show)
    told |= {"colour": [round(float(c), 6) for c in colour.flatten()], "mean_colour_of": "the measured images"}
    told |= _summed(values, measured, settings, show)
    told["absent"] = learned.absent
    _add_distances(told, sets, settings.seed, show)
    if settings.output_dir is not None:
        _write(told, values["model"], measured, net, settings)
    return told


def _scaled(samples: IndexedDataset, size: int) -> int:
    """How many pairs come from files whose shorter side is another than ``size``; drawn ones are made at it."""
    judged = samples.judged if isinstance(samples, PairDataset) else []
    return sum(min(one.height, one.width) != size for one in judged)


def _batches(samples: IndexedDataset, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    items = in_threads(lambda i: samples[0, i], range(len(samples)))
    while batch := list(islice(items, size)):
        sar, optical = zip(*batch, strict=True)
        yield torch.stack(sar), torch.stack(optical)


def _mean_colour(samples: IndexedDataset, size: int, show: Console) -> Tensor:
    total = torch.zeros(3, dtype=torch.float64)
    with show.progress("mean colour", len(samples)) as meter:
        for _, optical in _batches(samples, size):
            total += optical.double().mean((2, 3)).sum(0)
            meter.step(len(optical))
    return (total / len(samples)).float().view(1, 3, 1, 1)


def _measured(
    net: Pix2PixUNet,
    samples: IndexedDataset,
    colour: Tensor,
    learned: Learned,
    size: int,
    device: torch.device,
    show: Console,
) -> tuple[Values, dict[str, FeatureSet]]:
    """Figures by image, and the features of every set where there is a network for them."""
    rows: list[dict[str, dict[str, Tensor]]] = []
    sets: dict[str, FeatureSet] = {}
    with show.progress("image", len(samples)) as meter:
        for sar, optical in _batches(samples, size):
            sar, optical = sar.to(device), optical.to(device)
            predictions = _predictions(net, sar, colour.to(device))
            rows.append({name: _figures(y, optical, learned) for name, y in predictions.items()})
            if learned.inception is not None:
                for name, y in {"optical": optical, **predictions}.items():
                    pixels = torch.from_numpy(to_uint8(y)).permute(0, 3, 1, 2).to(device)
                    sets.setdefault(name, FeatureSet(-(-len(samples) // KID_KEEPS))).update(learned.inception(pixels))
            meter.step(len(sar))
    joined = {
        name: {figure: torch.cat([row[name][figure] for row in rows]).double().numpy() for figure in rows[0][name]}
        for name in evaluation_report.PREDICTORS
    }
    return joined, sets


def _predictions(net: Pix2PixUNet, sar: Tensor, colour: Tensor) -> dict[str, Tensor]:
    grey = sar[:, :1].expand(-1, 3, -1, -1)
    return dict(zip(evaluation_report.PREDICTORS, (net(sar).float(), grey, colour.expand_as(grey)), strict=True))


def _figures(y: Tensor, optical: Tensor, learned: Learned) -> dict[str, Tensor]:
    found = {
        "l1": (y - optical).abs().flatten(1).mean(1),
        "psnr_db": psnr(y, optical).clamp(max=EQUAL_DB),
        "ssim": ssim(y, optical),
    }
    if learned.lpips is not None:
        found["lpips"] = learned.lpips(y, optical)
    return {name: value.cpu() for name, value in found.items()}


def _summed(values: Values, measured: Measured, settings: CycleGanEvaluateSettings, show: Console) -> dict[str, Any]:
    groups, what, doubt = evaluation_report.groups_of(measured.scenes)
    if doubt:
        show.warn(doubt)
    if lost := int((~np.isfinite(values["model"]["l1"])).sum()):
        show.warn(f"{lost} of {len(groups)} translations hold values that are no numbers")
    figures, gain = evaluation_report.summed(
        values,
        groups,
        resamples=settings.resamples,
        confidence=settings.confidence,
        seed=derive(settings.seed, "bootstrap"),
    )
    interval = f"{100 * settings.confidence:g} % bootstrap over {what}, {settings.resamples} resamples"
    return {"interval": interval, "interval_warning": doubt or None, "figures": figures, "gain": gain}


def _add_distances(told: dict[str, Any], sets: Mapping[str, FeatureSet], seed: int, show: Console) -> None:
    """FID and KID of every predictor, null where they are not measured, and their warnings where images are few."""
    count = told["images"]
    if sets and count < 2:
        told["absent"] = {**told["absent"], "fid and kid": "two images are the least"}
        sets = {}
    for name, figures in told["figures"].items():
        figures |= {"lpips": figures.get("lpips"), "fid": None, "kid": None}
        if sets:
            mean, std = kernel_distance(sets["optical"], sets[name], seed=derive(seed, "kid"))
            figures["fid"] = evaluation_report.number(frechet_distance(sets["optical"], sets[name]))
            figures["kid"] = {"mean": evaluation_report.number(mean), "std": evaluation_report.number(std)}
    if sets:
        fid = f"FID of {count} images is biased upwards: the covariance of up to {RANK} is singular; compare it only "
        kid = f"KID of {count} images is uncertain: differences of its order mean nothing"
        told["fid_warning"] = fid + "with FIDs of as many images" if count <= RANK else None
        told["kid_warning"] = kid if count < KID_FEW else None
        for line in filter(None, (told["fid_warning"], told["kid_warning"])):
            show.warn(line)


def _write(
    told: dict[str, Any], figures: dict[str, Any], measured: Measured, net: Pix2PixUNet,
    settings: CycleGanEvaluateSettings,
) -> None:  # fmt: skip
    """Tables and the picture of the best, the median and the worst image by L1."""
    assert settings.output_dir is not None
    examples, device = evaluation_report.examples(figures["l1"]), next(net.parameters()).device
    shown = []
    for label, index in examples.items():
        sar, optical = measured.samples[0, index]
        y = net(sar[None].to(device))[0].float().cpu()
        shown.append((f"{label}, L1 {figures['l1'][index]:.3f}", sar[:1], optical, y))
    names = [measured.samples.name(k) for k in range(told["images"])]
    told["examples"] = {label: names[index] for label, index in examples.items()}
    told["output_dir"] = str(settings.output_dir)
    rows = evaluation_report.rows(names, measured.scenes, figures)
    evaluation_report.write(settings.output_dir, told, rows, shown, overwrite=settings.overwrite)
