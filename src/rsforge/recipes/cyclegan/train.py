"""``rsforge cyclegan train``: SAR to optical and back, from pairs or from two sets."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rsforge.engine.cadence import Moment
from rsforge.engine.listener import Pictures
from rsforge.engine.loader import IndexedDataset
from rsforge.errors import RsforgeError
from rsforge.losses.perceptual import Distance, no_perceptual, perceptual
from rsforge.models.pix2pix import depth_for
from rsforge.recipes.console import Console
from rsforge.recipes.cyclegan.judge import judge
from rsforge.recipes.cyclegan.load import REQUIRED
from rsforge.recipes.cyclegan.networks import COLOURS, build_networks, fit_linear_path, has_linear_path
from rsforge.recipes.cyclegan.output_names import CYCLEGAN
from rsforge.recipes.cyclegan.sar_level import LevelledPairs, LinearModels, restore_level, settle_level
from rsforge.recipes.datasets import pairs as pair_datasets
from rsforge.recipes.datasets.named_samples import NamedSamples
from rsforge.recipes.datasets.pair_split import PairSets
from rsforge.recipes.evaluation.baselines import fit_baselines, fitted_bytes
from rsforge.recipes.evaluation.linear_sar import NAME as LINEAR_SAR
from rsforge.recipes.inference.labelled_grid import save_labelled_grid
from rsforge.recipes.tracking.loss_plots import Curves
from rsforge.recipes.training import vgg_weights
from rsforge.recipes.training.decisions import Decision
from rsforge.recipes.training.job import Compute, TrainingSpec
from rsforge.recipes.training.method import Method
from rsforge.recipes.training.run import fit
from rsforge.recipes.training.vgg_weights import Partners, load_features
from rsforge.settings.cyclegan import CycleGanTrainSettings, GanLossSettings
from rsforge.tasks.cyclegan import UNWEIGHTED, CycleGanTask, Weights
from rsforge.tasks.image_pool import ImagePools
from rsforge.wording import count_noun

SHOWN = 4
MODALITIES = ("sar", "optical")
CURVES: Curves = {
    "generators, average": ["Total_G_Loss"],
    "discriminators, average": ["Total_D_Loss"],
    "L1": ["unweighted/G_Loss_L1_AB", "val/l1"],
    "cycle loss of SAR": ["unweighted/G_Loss_Cycle_A", "val/cycle_A"],
}
RELU3_3 = 15
CONTENT_LOSS = "the content loss"
MONITORS = {"psnr": "-val/psnr_db", "ssim": "-val/ssim"}
TRACKED = {"Total_G_Loss": "Avg_G_Loss", "Total_D_Loss": "Avg_D_Loss"}
EXAMPLES = ("Examples/Input_Grayscale_S1", "Examples/Target_Color_S2", "Examples/Generated_Color")


def train(settings: CycleGanTrainSettings, console: Console) -> dict[str, Any]:
    """Train two generators and two discriminators; returns where they lie and how good they became."""
    return fit(METHOD, settings, console)


def decide(
    settings: CycleGanTrainSettings, stored: Mapping[str, Any], compute: Compute, console: Console
) -> dict[str, Decision]:
    """Whether the content loss is trained with, where the settings leave it open: always to judge by it."""
    loss = settings.loss
    if loss.perceptual != "auto" or not weights_of(settings).content:
        return {}
    if loss.best_by == "content":
        return {"perceptual": Decision("yes", "--best-by content needs it")}
    given, before = loss.vgg_weights, stored.get("perceptual")
    return {"perceptual": vgg_weights.decide(given, before, compute.world, console, what=CONTENT_LOSS)}


def check(settings: CycleGanTrainSettings, console: Console) -> None:
    """RSF-U005 for what cannot be trained, and a warning of what is typed and not used."""
    gan, loss, data = settings.gan, settings.loss, settings.data
    try:
        depth_for(data.image_size)
    except ValueError as error:
        raise RsforgeError("RSF-U005", str(error), where="--image-size") from error
    if loss.gan_loss == "wgan-gp" and gan.critic_norm == "batch":
        what = "the gradient penalty is of single images, which batch norm ties together"
        raise RsforgeError("RSF-U005", what, where="--critic-norm", fix="use --critic-norm instance")
    if loss.best_by == "content" and not weights_of(settings).content:
        what = "--best-by content needs --lambda-content and --perceptual"
        if data.unpaired:
            what = "--unpaired has no content to compare"
        raise RsforgeError("RSF-U005", what, where="--best-by", fix="use --best-by cycle")
    unused = {
        "--unpaired has no image to compare with": ("lambda_l1", "lambda_content", "vgg_weights") * data.unpaired,
        "--lambda-content is 0": ("vgg_weights",) * (not loss.lambda_content),
        "--no-perceptual": ("lambda_content", "vgg_weights") * (loss.perceptual == "no"),
        "it is for --gan-loss wgan-gp": ("lambda_gp",) * (loss.gan_loss != "wgan-gp"),
    }
    for reason, names in unused.items():
        for name in (n for n in names if n in loss.model_fields_set and getattr(loss, n)):
            console.warn(f"--{name.replace('_', '-')} is not used: {reason}")
    if gan.linear_path and data.unpaired:
        console.warn("--linear-path is not used: --unpaired has no pairs to fit a linear model to")


def read_pairs(settings: CycleGanTrainSettings, compute: Compute, console: Console) -> LevelledPairs:
    return settle_level(settings, pair_datasets.load_pairs(settings.data, settings.run, console), console)


def read_pairs_again(
    settings: CycleGanTrainSettings, compute: Compute, console: Console, state: Mapping[str, Any]
) -> LevelledPairs:
    return restore_level(pair_datasets.load_pairs(settings.data, settings.run, console), state)


def content_of(settings: CycleGanTrainSettings, device: torch.device) -> tuple[Distance, Partners]:
    """The L1 distance of relu3_3 of VGG16 where it is wanted, and its weights; RSF-E007 when they are nowhere."""
    if not weights_of(settings).content:
        return no_perceptual, {}
    given, resumed = settings.loss.vgg_weights, settings.run.resume is not None
    network, partners = load_features(given, device, what=CONTENT_LOSS, resumed=resumed)
    return partial(perceptual, network, distance=F.l1_loss), partners


def monitor_of(loss: GanLossSettings, weights: Weights, pairs: PairSets) -> str:
    """The held-out figure of the best model; for score the way there and back where it has nothing to weigh.

    Where nothing is held out, the same of the training. RSF-U005 for a figure that will not be there.
    """
    count, matched = len(pairs.held_out), pairs.matched or loss.best_by == "cycle"
    if "best_by" in loss.model_fields_set and not (count and matched):
        found = f"{count_noun(count, 'image')} held out{'' if pairs.matched else ', no pairs'}"
        what = f"--best-by {loss.best_by} has no figure to choose by"
        raise RsforgeError("RSF-U005", what, where="--best-by", found=found, fix="leave out --best-by")
    if not count:
        trained = [name for name, weight in (("L1_AB", weights.l1), ("Cycle_A", weights.cycle)) if weight]
        return f"{UNWEIGHTED}G_Loss_{trained[0]}" if trained else "Total_G_Loss"
    if loss.best_by == "score" and not (pairs.matched and (weights.l1 or weights.content)):
        return "val/cycle"
    return MONITORS.get(loss.best_by, f"val/{loss.best_by}")


def weights_of(settings: CycleGanTrainSettings) -> Weights:
    """The weights of the loss; none of what needs pairs where there are none."""
    loss, paired_ = settings.loss, not settings.data.unpaired
    return Weights(
        cycle=loss.lambda_cycle,
        l1=loss.lambda_l1 * paired_,
        content=loss.lambda_content * (paired_ and loss.perceptual != "no"),
        identity=loss.lambda_identity,
        penalty=loss.lambda_gp,
    )


def spec(
    settings: CycleGanTrainSettings,
    pairs: LevelledPairs,
    nets: dict[str, nn.Module],
    compute: Compute,
    console: Console,
) -> TrainingSpec:
    """The task, its monitor, and what checkpoints say of the model."""
    loss, weights, data = settings.loss, weights_of(settings), settings.data
    content, partners = content_of(settings, compute.device)
    pools = ImagePools(settings.gan.pool_size)
    if not console.dry_run and settings.run.resume is None:  # the checkpoint of a run that goes on has the model
        fit_linear_path(nets, pairs.linear)
    task = CycleGanTask(
        {name: net.to(compute.device) for name, net in nets.items()},
        pools=pools,
        paired=not data.unpaired,
        matched=pairs.matched,
        gan_loss=loss.gan_loss,
        weights=weights,
        content=content,
    )
    shown = _spread(pairs.held_out if len(pairs.held_out) else pairs.plain)
    monitor = monitor_of(loss, weights, pairs)
    console.say(f"networks   U-Nets of {depth_for(data.image_size)} levels; best by {monitor.lstrip('-')}")
    return TrainingSpec(
        task,
        NamedSamples(pairs.train, MODALITIES),
        NamedSamples(pairs.held_out, MODALITIES),
        identity=_identity(settings, nets, pairs),
        monitor=monitor,
        fitted_start=has_linear_path(settings),
        preview=partial(preview, settings, nets["gen_AB"], shown, compute.device),
        lr_scale={"critics": settings.optim.lr_disc / settings.optim.learning_rate},
        partners=partners,
        parts={"pools": pools},
        remembered=_pool_bytes(settings, pairs.sar_channels),
        tracked=TRACKED,
        config=config(settings, compute.device),
        baselines=partial(describe_baselines, pairs, None if data.unpaired else pairs.linear),
        fitted_bytes=fitted_bytes((COLOURS, data.image_size, data.image_size), sar_channels=pairs.sar_channels),
    )


def describe_baselines(pairs: PairSets, linear: LinearModels | None) -> dict[str, Any]:
    """What checkpoints hold of predictors without a network; ``linear`` gives the linear model, None without pairs."""
    return fit_baselines(pairs.plain, image_of=itemgetter(1)) | ({} if linear is None else {LINEAR_SAR: linear("keep")})


def _pool_bytes(settings: CycleGanTrainSettings, sar_channels: int) -> int:
    shown = sar_channels + COLOURS
    both = shown if settings.data.unpaired else 2 * shown
    return 4 * settings.gan.pool_size * both * settings.data.image_size**2


def config(settings: CycleGanTrainSettings, device: torch.device) -> dict[str, Any]:
    """What trackers show of the settings under the document's names."""
    loss, optim = settings.loss, settings.optim
    return {
        "learning_rate_gen": optim.learning_rate,
        "learning_rate_disc": optim.lr_disc,
        "batch_size": settings.loop.batch_size,
        "num_epochs": settings.loop.epochs,
        "img_size": settings.data.image_size,
        "lambda_cycle": loss.lambda_cycle,
        "lambda_l1": loss.lambda_l1,
        "lambda_content": weights_of(settings).content,
        "chosen_vgg_layer_idx": RELU3_3,
        "dataset": settings.data.data_dir,
        "architecture": "CycleGAN-Pix2Pix-VGG-UNet",
        "device": str(device),
    }


def _spread(samples: IndexedDataset) -> tuple[Tensor, Tensor]:
    """The same few pairs at every preview, evenly spread over all."""
    count = min(SHOWN, len(samples))
    x, y = zip(*(samples[0, i * len(samples) // count] for i in range(count)), strict=True)
    return torch.stack(x), torch.stack(y)


def _identity(settings: CycleGanTrainSettings, nets: dict[str, nn.Module], pairs: PairSets) -> dict[str, Any]:
    return {
        "architecture": {name: net.architecture for name, net in nets.items()},
        "image_size": settings.data.image_size,
        "sar_channels": pairs.sar_channels,
        "paired": not settings.data.unpaired,
        "radiometry": pairs.radiometry.as_dict(),
        "normalisation": {"low": -1.0, "high": 1.0},
        "trained": list(pairs.trained),
        "scaled": pairs.scaled,
    }


def preview(
    settings: CycleGanTrainSettings,
    gen_ab: nn.Module,
    shown: tuple[Tensor, Tensor],
    device: torch.device,
    moment: Moment,
) -> Pictures:
    """Input, target and translation of fixed held-out pairs, a row each."""
    x, y = shown
    made = torch.cat([gen_ab(image[None].to(device)).float().cpu() for image in x])
    columns = (x[:, :1].expand(-1, COLOURS, -1, -1), y, made)
    rows = torch.stack(columns, 1).flatten(0, 1)
    path = settings.run.output_dir / CYCLEGAN.sample_picture(moment)
    save_labelled_grid(path, rows, nrow=len(columns), columns=("SAR", "optical", "translation"))
    return dict(zip(EXAMPLES, (x[:, :1], y, made), strict=True))


def next_command(settings: CycleGanTrainSettings, checkpoint: Path) -> str:
    words = ["--checkpoint", str(checkpoint), "--data-dir", settings.data.data_dir]
    return shlex.join(["rsforge", "cyclegan", "evaluate", *words])


METHOD: Method[CycleGanTrainSettings, LevelledPairs, dict[str, nn.Module]] = Method(
    kind="cyclegan",
    outputs=CYCLEGAN,
    curves=CURVES,
    required=REQUIRED,
    check=check,
    datasets=read_pairs,
    resumed_datasets=read_pairs_again,
    networks=build_networks,
    spec=spec,
    next_command=next_command,
    decide=decide,
    judge=judge,
)
