"""What CycleGAN with two pix2pix generators learns: each kind of image from the other, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from itertools import chain

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rsforge.engine.accumulator import COUNTED, MeanOverSamples
from rsforge.engine.task import StepContext, Turn
from rsforge.losses.adversarial import GanLoss, critic_loss, generator_loss, gradient_penalty
from rsforge.losses.gaps import NoGaps, find_gaps
from rsforge.losses.perceptual import no_perceptual
from rsforge.metrics.image import psnr, ssim
from rsforge.tasks.image_pool import ImagePools

Batch = Mapping[str, Tensor]
Pair = tuple[Tensor, Tensor]
Terms = dict[str, tuple[float, Tensor]]
"""Weight and value of each term."""

UNWEIGHTED, ADVERSARIAL = "unweighted/", "G_Loss_Adv"
GROUPS = {"generators": ("gen_AB", "gen_BA"), "critics": ("disc_X", "disc_Y")}


@dataclass(frozen=True)
class Weights:
    """Of the generators' terms beside the adversarial ones; ``penalty`` is the critics', of wgan-gp."""

    cycle: float = 10.0
    l1: float = 100.0
    content: float = 1.0
    identity: float = 0.0
    penalty: float = 10.0


def in_channels(image: Tensor, channels: int) -> Tensor:
    """``image`` as it is where it has ``channels``, else its mean over channels, repeated."""
    return image if image.shape[1] == channels else image.mean(1, keepdim=True).expand(-1, channels, -1, -1)


class CycleGanTask:
    """``gen_AB`` makes optical images (y) of SAR ones (x), ``gen_BA`` the reverse; ``disc_Y``, ``disc_X`` judge them.

    A batch holds ``sar`` (x) ``(B, C, H, W)`` and ``optical`` (y) ``(B, 3, H, W)`` in [-1, 1]. Where it is
    ``paired``, critics see the source before the target, and L1 and ``content`` hold ``gen_AB(x)`` to y; where not,
    none of the three. Where pixels of some images hold no data it holds ``valid`` ``(B, 1, H, W)``, False where either
    image of an item has none: critics see the true image there on both sides, and no term tells images apart by it.
    ``matched`` says whether held-out images are true pairs, for all figures but ``cycle`` need them.
    Zhu et al. 2017, Eq. 3 and section 5.2; Isola et al. 2017, Eq. 4.
    """

    def __init__(
        self,
        nets: Mapping[str, nn.Module],
        *,
        pools: ImagePools,
        paired: bool = True,
        matched: bool = True,
        gan_loss: GanLoss = "bce",
        weights: Weights = Weights(),
        content: Callable[[Tensor, Tensor], Tensor] = no_perceptual,
    ) -> None:
        self.nets, self.pools, self.gan_loss = dict(nets), pools, gan_loss
        self.paired, self.matched, self.weights = paired, matched, weights
        self.content = content

    def modules(self) -> Mapping[str, nn.Module]:
        return self.nets

    def groups(self) -> Mapping[str, list[nn.Parameter]]:
        return {g: list(chain.from_iterable(self.nets[n].parameters() for n in names)) for g, names in GROUPS.items()}

    def step(self, batch: Batch, context: StepContext) -> Generator[Turn]:
        pair, gaps = (batch["sar"], batch["optical"]), find_gaps(batch)
        x, y = pair
        fakes = self.nets["gen_BA"](y), self.nets["gen_AB"](x)
        shown = fake_x, fake_y = gaps.fill(fakes[0], x), gaps.fill(fakes[1], y)
        terms = self._adversarial(pair, shown) | self._cycle(pair, fakes, gaps)
        terms |= self._supervised_terms(pair, fake_y, gaps)
        total = sum((weight * term for weight, term in terms.values()), x.new_zeros(()))
        yield Turn("generators", total, _figures(terms) | {"Total_G_Loss": total})
        fake_x, fake_y = fake_x.detach(), fake_y.detach()
        judged = {"D_Loss_X": self._critic_loss("disc_X", y, x, fake_x, context.slot)}
        judged |= {"D_Loss_Y": self._critic_loss("disc_Y", x, y, fake_y, context.slot)}
        loss = judged["D_Loss_X"] + judged["D_Loss_Y"]
        yield Turn("critics", loss, judged | {"Total_D_Loss": loss})

    def _critic_input(self, source: Tensor, target: Tensor) -> Tensor:
        """What a critic is shown."""
        return torch.cat([source, target.to(source.dtype)], 1) if self.paired else target

    def _adversarial(self, pair: Pair, fakes: Pair) -> Terms:
        (x, y), (fake_x, fake_y) = pair, fakes
        logits = {
            "G_Loss_Adv_AB": self.nets["disc_Y"](self._critic_input(x, fake_y)),
            "G_Loss_Adv_BA": self.nets["disc_X"](self._critic_input(y, fake_x)),
        }
        return {name: (1.0, generator_loss(self.gan_loss, fake)) for name, fake in logits.items()}

    def _cycle(self, pair: Pair, fakes: Pair, gaps: NoGaps) -> Terms:
        (x, y), (fake_x, fake_y) = pair, fakes
        weight = self.weights.cycle
        if not weight:
            return {}
        back = {"G_Loss_Cycle_A": (self.nets["gen_BA"](fake_y), x), "G_Loss_Cycle_B": (self.nets["gen_AB"](fake_x), y)}
        return {name: (weight, F.l1_loss(gaps.fill(made, image), image)) for name, (made, image) in back.items()}

    def _supervised_terms(self, pair: Pair, fake_y: Tensor, gaps: NoGaps) -> Terms:
        """What holds the generators to images that are there."""
        x, y = pair
        weights, terms = self.weights, Terms()
        if self.paired and weights.l1:
            terms["G_Loss_L1_AB"] = weights.l1, F.l1_loss(fake_y, y)
        if self.paired and weights.content:
            terms["G_Loss_Content_AB"] = weights.content, self.content(fake_y, y)
        if weights.identity:
            for name, net, image, other in (("A", "gen_BA", x, y), ("B", "gen_AB", y, x)):
                kept = self.nets[net](in_channels(image, other.shape[1]))
                terms[f"G_Loss_Identity_{name}"] = weights.identity, F.l1_loss(gaps.fill(kept, image), image)
        return terms

    def _critic_loss(self, name: str, source: Tensor, target: Tensor, fake: Tensor, slot: int) -> Tensor:
        critic = self.nets[name]
        real, shown = self._critic_input(source, target), self.pools.query(name, slot, self._critic_input(source, fake))
        loss = critic_loss(self.gan_loss, critic(real), critic(shown))
        if self.gan_loss == "wgan-gp":
            loss = loss + self.weights.penalty * gradient_penalty(critic, real, shown)
        return loss

    def validation(self) -> MeanOverSamples:
        return MeanOverSamples(self.evaluate)

    def evaluate(self, batch: Batch) -> Mapping[str, Tensor]:
        """``cycle_A``, ``cycle_B`` and their mean ``cycle``; where images match, of ``gen_AB(x)``: ``l1``, ``psnr_db``,
        ``ssim``, ``content`` where it has a weight, and ``score``, L1 and content as they are weighted."""
        x, y, gaps = batch["sar"], batch["optical"], find_gaps(batch)
        fake_x, fake_y = self.nets["gen_BA"](y).to(y), self.nets["gen_AB"](x).to(x)
        there, back = self.nets["gen_AB"](fake_x), self.nets["gen_BA"](fake_y)
        back, there = gaps.fill(back, x), gaps.fill(there, y)
        ways = {"cycle_A": gaps.over_valid(F.l1_loss(back, x)), "cycle_B": gaps.over_valid(F.l1_loss(there, y))}
        figures = ways | {"cycle": (ways["cycle_A"] + ways["cycle_B"]) / 2}
        likeness = self._likeness(gaps.fill(fake_y, y), y, gaps) if self.matched else {}
        return gaps.name_share(COUNTED) | figures | likeness

    def _likeness(self, fake_y: Tensor, y: Tensor, gaps: NoGaps) -> dict[str, Tensor]:
        figures = {"l1": gaps.over_valid(F.l1_loss(fake_y, y))}
        if self.weights.content:
            figures["content"] = gaps.over_valid(self.content(fake_y, y))
        score = sum((getattr(self.weights, name) * figure for name, figure in figures.items()), y.new_zeros(()))
        figures |= {"score": score, "psnr_db": gaps.average(psnr(fake_y, y, gaps.valid))}
        return figures | {"ssim": gaps.average(ssim(fake_y, y, gaps.valid))}


def _figures(terms: Terms) -> dict[str, Tensor]:
    """Every term as it is weighted, and all that have a weight as they are."""
    weighted = {name: weight * term for name, (weight, term) in terms.items()}
    return weighted | {UNWEIGHTED + name: term for name, (_, term) in terms.items() if not name.startswith(ADVERSARIAL)}
