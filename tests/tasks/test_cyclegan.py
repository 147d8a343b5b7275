"""The two turns of CycleGAN against the formulas written out by hand."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from rsforge.compat import ensure_torchvision
from rsforge.engine.accumulator import COUNTED
from rsforge.engine.ema import NoEma
from rsforge.engine.loader import MicroBatch
from rsforge.engine.task import StepContext
from rsforge.engine.train_step import TrainStep
from rsforge.losses.adversarial import gradient_penalty
from rsforge.losses.perceptual import perceptual
from rsforge.models.patch_gan import PatchCritic
from rsforge.models.pix2pix import Pix2PixUNet
from rsforge.models.vgg import VggFeatures
from rsforge.tasks.cyclegan import CycleGanTask, Weights, in_channels
from rsforge.tasks.image_pool import ImagePools

SIZE, RATES, BETAS = 32, {"generators": 2e-4, "critics": 5e-4}, (0.5, 0.999)


def nets(seed: int = 0, *, paired: bool = True, **options) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    generator = partial(Pix2PixUNet, depth=5, base=4, norm=options.get("norm", "batch"))
    critic = partial(PatchCritic, base=4, norm=options.get("critic_norm", "batch"))
    made = {
        "gen_AB": generator(in_channels=1, out_channels=3),
        "gen_BA": generator(in_channels=3, out_channels=1),
        "disc_X": critic(in_channels=4 if paired else 1),
        "disc_Y": critic(in_channels=4 if paired else 3),
    }
    return {name: net.double() for name, net in made.items()}


def batch(count: int = 2, seed: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    draw = partial(torch.rand, generator=generator, dtype=torch.float64)
    return draw(count, 1, SIZE, SIZE) * 2 - 1, draw(count, 3, SIZE, SIZE) * 2 - 1


def named(pair: tuple[torch.Tensor, torch.Tensor]) -> dict[str, torch.Tensor]:
    return dict(zip(("sar", "optical"), pair, strict=True))


def engine(task: CycleGanTask, **options) -> TrainStep:
    return TrainStep(
        task,
        make_optimizer=lambda p: torch.optim.AdamW(p, lr=1.0, betas=BETAS, weight_decay=0.0, fused=True),
        lr_scale={"critics": RATES["critics"] / RATES["generators"]},
        average=NoEma(),
        device=torch.device("cpu"),
        **options,
    )


def by_hand(n: dict[str, nn.Module], steps, *, content, pool: bool = False) -> None:
    """The document's formulas in plain PyTorch: generators first, critics on the fakes that were made for them."""
    g = torch.optim.Adam([*n["gen_AB"].parameters(), *n["gen_BA"].parameters()], lr=RATES["generators"], betas=BETAS)
    d = torch.optim.Adam([*n["disc_X"].parameters(), *n["disc_Y"].parameters()], lr=RATES["critics"], betas=BETAS)
    bce = nn.BCEWithLogitsLoss()
    for x, y in steps:
        fake_x, fake_y = n["gen_BA"](y), n["gen_AB"](x)
        adv_ab, adv_ba = n["disc_Y"](torch.cat([x, fake_y], 1)), n["disc_X"](torch.cat([y, fake_x], 1))
        loss = bce(adv_ab, torch.ones_like(adv_ab)) + bce(adv_ba, torch.ones_like(adv_ba))
        loss = loss + 10 * (n["gen_BA"](fake_y) - x).abs().mean() + 10 * (n["gen_AB"](fake_x) - y).abs().mean()
        loss = loss + 100 * (fake_y - y).abs().mean() + content(fake_y, y)
        g.zero_grad()
        loss.backward()
        g.step()
        total = 0
        for name, source, target, fake in (("disc_X", y, x, fake_x), ("disc_Y", x, y, fake_y)):
            real, false = n[name](torch.cat([source, target], 1)), n[name](torch.cat([source, fake.detach()], 1))
            total = total + (bce(real, torch.ones_like(real)) + bce(false, torch.zeros_like(false))) / 2
        d.zero_grad()
        total.backward()
        d.step()


def reference_content(state):
    """VGG16 up to relu3_3 by torchvision, on images brought to its mean and deviation."""
    ensure_torchvision()
    from torchvision.models import vgg16

    features = vgg16(weights=None).features[:16].eval().requires_grad_(False)
    assert isinstance(features[15], nn.ReLU)
    assert features[14].out_channels == 256
    features.load_state_dict({name.removeprefix("features."): value for name, value in state.items()})
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))

    def distance(fake, real):
        seen, wanted = (features(((image.float() + 1) / 2 - mean) / std) for image in (fake, real))
        return F.l1_loss(seen, wanted)

    return distance


def test_steps_agree_with_the_documents_formulas_by_hand():
    torch.manual_seed(9)
    vgg = VggFeatures()
    task = CycleGanTask(nets(), pools=ImagePools(50), content=partial(perceptual, vgg, distance=F.l1_loss))
    update, hand, steps = engine(task), nets(), [batch(seed=k) for k in range(3)]
    by_hand(hand, steps, content=reference_content(vgg.state_dict()))
    for step, (x, y) in enumerate(steps):
        update([MicroBatch(named((x, y)), 1.0, 0, ("a", "b"))], step, RATES["generators"])
    before = nets()
    for name, net in hand.items():
        for (key, wanted), got, start in zip(
            net.state_dict().items(),
            task.nets[name].state_dict().values(),
            before[name].state_dict().values(),
            strict=True,
        ):
            torch.testing.assert_close(got, wanted, rtol=0, atol=1e-6, msg=lambda m, at=f"{name}.{key}": f"{at}: {m}")
            assert not wanted.is_floating_point() or not torch.equal(wanted, start)


def turns(task: CycleGanTask, pair=None):
    return list(task.step(named(pair or batch()), StepContext()))


def test_terms_are_told_as_weighted_and_as_they_are():
    weights = Weights(cycle=3.0, l1=7.0, content=0.5, identity=2.0)
    task = CycleGanTask(nets(), pools=ImagePools(0), weights=weights, content=F.mse_loss)
    (generators, critics), (x, y) = turns(task), batch()
    told = {name: value.item() for name, value in generators.report.items()}
    with torch.no_grad():
        fake_y, fake_x = task.nets["gen_AB"](x), task.nets["gen_BA"](y)
        wanted = {
            "G_Loss_L1_AB": (7.0, (fake_y - y).abs().mean()),
            "G_Loss_Content_AB": (0.5, (fake_y - y).square().mean()),
            "G_Loss_Cycle_A": (3.0, (task.nets["gen_BA"](fake_y) - x).abs().mean()),
            "G_Loss_Cycle_B": (3.0, (task.nets["gen_AB"](fake_x) - y).abs().mean()),
            "G_Loss_Identity_A": (2.0, (task.nets["gen_BA"](x.expand(-1, 3, -1, -1)) - x).abs().mean()),
            "G_Loss_Identity_B": (2.0, (task.nets["gen_AB"](y.mean(1, keepdim=True)) - y).abs().mean()),
        }
    for name, (weight, value) in wanted.items():
        assert told[f"unweighted/{name}"] == pytest.approx(float(value))
        assert told[name] == pytest.approx(weight * float(value))
    weighted = sum(value for name, value in told.items() if name.startswith("G_Loss"))
    assert told["Total_G_Loss"] == pytest.approx(weighted) == pytest.approx(generators.loss.item())
    assert {name for name in told if "Adv" in name} == {"G_Loss_Adv_AB", "G_Loss_Adv_BA"}
    judged = {name: value.item() for name, value in critics.report.items()}
    assert judged["Total_D_Loss"] == pytest.approx(judged["D_Loss_X"] + judged["D_Loss_Y"])


def test_unpaired_shows_no_sources_and_compares_with_nothing():
    def explode(x, y):
        raise AssertionError("there is nothing to compare with")

    task = CycleGanTask(nets(paired=False), pools=ImagePools(0), paired=False, content=explode)
    generators, _ = turns(task)
    assert not {name for name in generators.report if "L1" in name or "Content" in name}
    x, y = batch()
    again = turns(task, (x, y.flip(0)))[0]
    # Which optical image comes beside which SAR image is of no importance.
    assert again.loss.item() == pytest.approx(generators.loss.item())


def test_evaluation_of_sets_tells_only_what_needs_no_pairs():
    task = CycleGanTask(nets(), pools=ImagePools(0), matched=False)
    assert set(task.evaluate(named(batch()))) == {"cycle", "cycle_A", "cycle_B"}
    with torch.no_grad():
        told = CycleGanTask(nets(), pools=ImagePools(0), weights=Weights(content=0)).evaluate(named(batch()))
    assert set(told) == {"cycle", "cycle_A", "cycle_B", "l1", "score", "psnr_db", "ssim"}
    assert float(told["score"]) == pytest.approx(100 * float(told["l1"]))


def test_no_generator_runs_twice_on_the_same_image():
    task, runs = CycleGanTask(nets(), pools=ImagePools(0), weights=Weights(content=0)), []
    for name, net in task.nets.items():
        net.register_forward_hook(lambda module, args, out, name=name: runs.append(name))
    turns(task)
    assert {name: runs.count(name) for name in task.nets} == {"gen_AB": 2, "gen_BA": 2, "disc_X": 3, "disc_Y": 3}


def test_critics_get_no_gradient_in_the_generators_turn():
    task = CycleGanTask(nets(), pools=ImagePools(0), weights=Weights(content=0))
    update, (x, y) = engine(task), batch()
    before = {name: {k: v.clone() for k, v in net.named_parameters()} for name, net in task.nets.items()}
    update.lr_scale = {"critics": 0.0}
    update([MicroBatch(named((x, y)), 1.0, 0, ("a", "b"))], 0, 1e-3)
    moved = {
        n: any(not torch.equal(v, before[n][k]) for k, v in net.named_parameters()) for n, net in task.nets.items()
    }
    assert moved == {"gen_AB": True, "gen_BA": True, "disc_X": False, "disc_Y": False}


def test_critics_are_shown_earlier_fakes_beside_their_own_sources():
    task, shown = CycleGanTask(nets(), pools=ImagePools(1), weights=Weights(content=0)), []
    task.nets["disc_Y"].register_forward_hook(lambda module, args, out: shown.append(args[0].detach()))
    first, second = batch(1, seed=1), batch(1, seed=2)
    turns(task, first)
    pooled = shown[2]
    shown.clear()
    for seed in range(8):
        torch.manual_seed(seed)
        turns(task, second)
    earlier = [fake for fake in shown[2::3] if torch.equal(fake, pooled)]
    assert len(earlier) == 1  # given back once, then another stands in its place
    torch.testing.assert_close(pooled[:, :1], first[0])


def test_wgan_gp_adds_the_penalty_of_each_critic():
    options = {"pools": ImagePools(0), "weights": Weights(content=0, penalty=4.0)}
    task = CycleGanTask(nets(critic_norm="instance"), gan_loss="wgan-gp", **options)
    x, y = batch()
    torch.manual_seed(3)
    _, critics = turns(task, (x, y))
    fake_x, fake_y = task.nets["gen_BA"](y).detach(), task.nets["gen_AB"](x).detach()
    torch.manual_seed(3)
    for name, source, target, fake in (("D_Loss_X", y, x, fake_x), ("D_Loss_Y", x, y, fake_y)):
        critic = task.nets[name.replace("D_Loss", "disc")]
        real, shown = torch.cat([source, target], 1), torch.cat([source, fake], 1)
        wanted = critic(shown).mean() - critic(real).mean() + 4 * gradient_penalty(critic, real, shown)
        assert critics.report[name].item() == pytest.approx(wanted.item())


@pytest.mark.parametrize("gan_loss", ["bce", "lsgan", "wgan-gp", "hinge"])
def test_every_loss_can_be_stepped(gan_loss):
    task = CycleGanTask(
        nets(critic_norm="instance"), pools=ImagePools(2), gan_loss=gan_loss, weights=Weights(content=0)
    )
    update = engine(task)
    for step in range(2):
        told = update([MicroBatch(named(batch(1, seed=step)), 1.0, 0, ("a",))], step, 2e-4).read()
    assert told["Total_G_Loss"] > 0


def test_channels_are_taken_as_they_are_or_averaged():
    x = torch.rand(1, 3, 2, 2)
    assert in_channels(x, 3) is x
    torch.testing.assert_close(in_channels(x, 2), x.mean(1, keepdim=True).expand(-1, 2, -1, -1))


class Painting(nn.Module):
    """A generator that gives one picture whatever it is shown."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.picture = nn.Parameter(torch.zeros(1, channels, SIZE, SIZE, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.picture + 0 * x.mean()


@pytest.mark.parametrize("gan_loss", ["bce", "wgan-gp"])
def test_pixels_without_data_have_no_part_in_any_term(gan_loss):
    """Generators learn nothing there, and critics see nothing to tell images apart by."""
    pictures = {"gen_AB": Painting(3), "gen_BA": Painting(1)}
    judges = nets(critic_norm="instance") | pictures
    content = lambda fake, real: F.avg_pool2d((fake - real).abs(), 3, 1, 1).mean()  # noqa: E731
    task = CycleGanTask(judges, pools=ImagePools(0), weights=Weights(identity=1.0), gan_loss=gan_loss, content=content)
    valid = torch.ones(2, 1, SIZE, SIZE, dtype=torch.bool)
    valid[..., :10] = False
    (x, y), shown = batch(), []
    given = named((x.where(valid, -1), y.where(valid, -1))) | {"valid": valid}
    judges["disc_Y"].register_forward_pre_hook(lambda _, seen: shown.append(seen[0].detach()))
    turns = task.step(given, StepContext())
    next(turns).loss.backward()
    for net in pictures.values():
        assert not net.picture.grad[..., :10].any() and net.picture.grad[..., 10:].all()
    next(turns)
    assert all(torch.equal(seen[..., :10], torch.full_like(seen[..., :10], -1)) for seen in shown[:3])
    figures = task.evaluate(given)
    expected = (given["optical"] - pictures["gen_AB"].picture)[..., 10:].abs().mean()
    torch.testing.assert_close(figures["l1"], expected)
    assert float(figures[COUNTED]) == pytest.approx(22 / 32)


def test_a_mask_of_nothing_gives_the_figures_of_none():
    task = CycleGanTask(nets(), pools=ImagePools(0), weights=Weights(content=0.0))
    given = named(batch())
    task.nets["gen_AB"].eval(), task.nets["gen_BA"].eval()
    plain = task.evaluate(given)
    masked = task.evaluate(given | {"valid": torch.ones(2, 1, SIZE, SIZE, dtype=torch.bool)})
    for name, figure in plain.items():
        torch.testing.assert_close(masked[name], figure, rtol=1e-5, atol=1e-6)
