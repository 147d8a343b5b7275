"""``rsforge cyclegan train``: SAR to optical and back, from pairs or from two sets."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rsforge.data.pictures import save_grid
from rsforge.engine.feed import Samples
from rsforge.engine.trainer import Pictures
from rsforge.errors import RsforgeError
from rsforge.losses.perceptual import Distance, perceptual
from rsforge.models.patch_gan import PatchCritic
from rsforge.models.pix2pix import Pix2PixUNet, depth_for
from rsforge.recipes import folder, layout, paired, plots, training, vgg
from rsforge.recipes.paired import Pairs
from rsforge.recipes.training import Job, Place
from rsforge.recipes.voice import Voice
from rsforge.seeds import derive
from rsforge.settings.cyclegan import CycleGanTrainSettings, GanLossSettings
from rsforge.tasks.cyclegan import CycleGanTask, Weights
from rsforge.tasks.image_pool import ImagePools
from rsforge.tasks.vae import no_perceptual

SHOWN = 4
COLOURS = 3
RELU3_3 = 15
MONITORS = {"psnr": "-val/psnr_db", "ssim": "-val/ssim"}
TRACKED = {"Total_G_Loss": "Avg_G_Loss", "Total_D_Loss": "Avg_D_Loss"}
EXAMPLES = ("Examples/Input_Grayscale_S1", "Examples/Target_Color_S2", "Examples/Generated_Color")


def train(settings: CycleGanTrainSettings, show: Voice) -> dict[str, Any]:
    """Train two generators and two critics; returns where they lie and how good they became."""
    return training.start(settings, layout.CYCLEGAN, "cyclegan", show, run_in)


def run_in(settings: CycleGanTrainSettings, where: Place, show: Voice, state: dict[str, Any] | None) -> dict[str, Any]:
    folder.check_apart(settings.run, layout.CYCLEGAN, settings.data.data_dir)
    _check(settings, show)
    pairs = paired.load(settings.data, settings.run, show)
    torch.manual_seed(derive(settings.run.seed, "weights"))
    nets = build(settings, pairs.sar_channels)
    if state is not None:
        folder.check_same(state, settings, pairs.identity, where=str(settings.run.output_dir))
    job = _job(settings, nets, pairs, where)
    if show.dry_run:
        return training.plan(job, settings, where)
    with training.held(settings.run, where):
        if where.world.writes:
            folder.prepare(settings.run, layout.CYCLEGAN, settings, show, fresh=state is None)
        return training.conduct(job, settings, where, show, state)


def _check(settings: CycleGanTrainSettings, show: Voice) -> None:
    """RSF-U005 for what cannot be trained, and a warning of what is typed and not used."""
    gan, loss, data = settings.gan, settings.loss, settings.data
    try:
        depth_for(data.image_size)
    except ValueError as error:
        raise RsforgeError("RSF-U005", str(error), where="--image-size") from error
    if loss.gan_loss == "wgan-gp" and gan.critic_norm == "batch":
        what = "the gradient penalty is of single images, which batch norm ties together"
        raise RsforgeError("RSF-U005", what, where="--critic-norm", fix="use --critic-norm instance")
    if data.unpaired and (typed := {"lambda_l1", "lambda_content", "vgg_weights"} & loss.model_fields_set):
        options = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(typed))
        show.warn(f"{options}: not used, since --unpaired has no image to compare with")


def build(settings: CycleGanTrainSettings, sar_channels: int) -> dict[str, nn.Module]:
    """The four networks, freshly initialised, on the names that the document gives them."""
    gan, paired_ = settings.gan, not settings.data.unpaired
    common: dict[str, Any] = {"base": gan.base_width, "attention": gan.attention}
    generator = partial(Pix2PixUNet, depth=depth_for(settings.data.image_size), norm=gan.norm, **common)
    norm = gan.critic_norm or ("instance" if settings.loss.gan_loss == "wgan-gp" else "batch")
    both = sar_channels + COLOURS
    return {
        "gen_AB": generator(in_channels=sar_channels, out_channels=COLOURS),
        "gen_BA": generator(in_channels=COLOURS, out_channels=sar_channels),
        "disc_X": PatchCritic(in_channels=both if paired_ else sar_channels, norm=norm, **common),
        "disc_Y": PatchCritic(in_channels=both if paired_ else COLOURS, norm=norm, **common),
    }


def content_of(loss: GanLossSettings, device: torch.device, *, wanted: bool) -> Distance:
    """The L1 distance of relu3_3 of VGG16; RSF-E007 when it is wanted and its weights are nowhere."""
    if not wanted:
        return no_perceptual
    what, without = "the content loss", "--lambda-content 0"
    network = vgg.features(loss.vgg_weights, device, what=what, without=without)
    return partial(perceptual, network, distance=F.l1_loss)


def monitor_of(loss: GanLossSettings, *, weights: Weights, matched: bool) -> str:
    """The held-out figure of the best model; for score the way there and back where it has nothing to weigh.

    RSF-U005 for a figure that will not be there.
    """
    if loss.best_by == "score" and not (matched and (weights.l1 or weights.content)):
        return "val/cycle"
    missing = "" if matched or loss.best_by == "cycle" else "held-out pairs"
    if loss.best_by == "content" and not weights.content:
        missing = "--lambda-content above 0"
    if missing:
        fix = "use --best-by cycle"
        raise RsforgeError("RSF-U005", f"--best-by {loss.best_by} needs {missing}", where="--best-by", fix=fix)
    return MONITORS.get(loss.best_by, f"val/{loss.best_by}")


def _job(settings: CycleGanTrainSettings, nets: dict[str, nn.Module], pairs: Pairs, where: Place) -> Job:
    loss, paired_ = settings.loss, not settings.data.unpaired
    weights = Weights(
        cycle=loss.lambda_cycle,
        l1=loss.lambda_l1 * paired_,
        content=loss.lambda_content * paired_,
        identity=loss.lambda_identity,
        penalty=loss.lambda_gp,
    )
    pools = ImagePools(settings.gan.pool_size)
    task = CycleGanTask(
        {name: net.to(where.device) for name, net in nets.items()},
        pools=pools,
        paired=paired_,
        matched=pairs.matched,
        gan_loss=loss.gan_loss,
        weights=weights,
        content=content_of(loss, where.device, wanted=bool(weights.content)),
    )
    shown = _spread(pairs.held_out if len(pairs.held_out) else pairs.plain)
    return Job(
        task,
        pairs.train,
        pairs.held_out,
        layout.CYCLEGAN,
        _identity(settings, nets, pairs),
        monitor=monitor_of(loss, weights=weights, matched=pairs.matched),
        preview=partial(preview, settings, nets["gen_AB"], shown, where.device),
        paces={"critics": settings.optim.lr_disc / settings.optim.learning_rate},
        own_parts={"pools": pools},
        tracked=TRACKED,
        config=config(settings, where.device),
        plot=partial(plot, settings),
    )


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
        "lambda_content": loss.lambda_content,
        "chosen_vgg_layer_idx": RELU3_3,
        "dataset": settings.data.data_dir,
        "architecture": "CycleGAN-Pix2Pix-VGG-UNet",
        "device": str(device),
    }


def _spread(samples: Samples) -> tuple[Tensor, Tensor]:
    """The same few pairs at every preview, evenly spread over all."""
    count = min(SHOWN, len(samples))
    x, y = zip(*(samples[0, i * len(samples) // count] for i in range(count)), strict=True)
    return torch.stack(x), torch.stack(y)


def _identity(settings: CycleGanTrainSettings, nets: dict[str, nn.Module], pairs: Pairs) -> dict[str, Any]:
    return {
        "kind": "cyclegan",
        "architecture": {name: net.architecture for name, net in nets.items()},
        "image_size": settings.data.image_size,
        "sar_channels": pairs.sar_channels,
        "paired": not settings.data.unpaired,
        "radiometry": pairs.radiometry.as_dict(),
        "normalisation": {"low": -1.0, "high": 1.0},
        "settings": folder.plain(settings),
        "images": pairs.identity,
    }


def preview(
    settings: CycleGanTrainSettings, gen_ab: nn.Module, shown: tuple[Tensor, Tensor], device: torch.device, epochs: int
) -> Pictures:
    """Input, target and translation of fixed held-out pairs, a row each, and the loss curves so far."""
    x, y = shown
    made = torch.cat([gen_ab(image[None].to(device)).float().cpu() for image in x])
    columns = (x[:, :1].expand(-1, COLOURS, -1, -1), y, made)
    rows = torch.stack(columns, 1).flatten(0, 1)
    save_grid(settings.run.output_dir / layout.CYCLEGAN.samples.format(epochs), rows, nrow=len(columns))
    plot(settings)
    return dict(zip(EXAMPLES, (x[:, :1], y, made), strict=True))


def plot(settings: CycleGanTrainSettings) -> None:
    """loss_plot_avg_epoch.png, from the journal."""
    output = settings.run.output_dir
    rows = plots.closed_epochs(output / layout.JOURNAL) if (output / layout.JOURNAL).exists() else []
    if rows:
        plots.draw(rows, plots.CYCLEGAN_CURVES, output / layout.CYCLEGAN.plot, marks={})
