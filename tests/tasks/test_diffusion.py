from __future__ import annotations

from statistics import fmean, stdev

import pytest
import torch
from torch import nn

from rsforge.engine.accumulator import COUNTED
from rsforge.engine.distributed import SingleProcess
from rsforge.engine.ema import NoEma
from rsforge.engine.loader import BatchLoader
from rsforge.engine.task import StepContext
from rsforge.engine.train_step import TrainStep
from rsforge.engine.validation import Validation
from rsforge.models.conditioning import Conditioning, ConditionInput
from rsforge.models.latent_mlp import LatentMlp
from rsforge.noise.process import broadcast, target
from rsforge.noise.schedules import alphas_cumprod
from rsforge.noise.weighting import min_snr_weight
from rsforge.samplers.ddim import ddim
from rsforge.samplers.noise_source import SeededNoise
from rsforge.samplers.predict_x0 import x0_denoiser
from rsforge.samplers.timesteps import timesteps
from rsforge.tasks import diffusion
from rsforge.tasks.diffusion import DiffusionTask

CPU = torch.device("cpu")
TABLE = alphas_cumprod("linear", 1000)


class Moments:
    """Latents of two clusters, far from the origin and of another scale, as an autoencoder's may be."""

    centre, spread = torch.tensor([30.0, -8.0]), torch.tensor([5.0, 0.5])
    sides = tuple(torch.stack([at, torch.full((2,), -6.0)]) for at in (centre - spread, centre + spread))

    def __len__(self):
        return 256

    def name(self, index):
        return str(index)

    def __getitem__(self, key):
        return {"latents": self.sides[key[1] % 2]}


class Spy(nn.Module):
    """A denoiser that notes the timesteps and inputs it is asked for."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.seen, self.inputs = [], []

    def forward(self, x_t, t, context=None, condition=None):
        self.seen += t.tolist()
        self.inputs.append(x_t)
        return x_t * self.weight


def task(network, **options):
    options = {"mean": Moments.centre, "std": Moments.spread, "alphas_cumprod": TABLE} | options
    return DiffusionTask(network, **options)


def train(job, steps, lr=2e-3, batch_size=64):
    """Train at a learning rate that falls to zero."""
    move = TrainStep(job, make_optimizer=lambda p: torch.optim.AdamW(p, lr), average=NoEma(), device=CPU, max_norm=1.0)
    for step, micros in enumerate(BatchLoader(Moments(), batch_size=batch_size, seed=1).steps(0, steps)):
        move(micros, step, lr * (1 - step / steps)).read()


def test_every_step_draws_its_own_timesteps_from_the_whole_schedule():
    """A generator made anew at each step would give the same few timesteps for ever."""
    spy = Spy()
    train(task(spy), 60)
    first, second = spy.seen[:64], spy.seen[64:128]
    assert first != second and len(set(spy.seen)) > 900
    assert min(spy.seen) < 20 and max(spy.seen) > 980


def test_latents_are_drawn_anew_and_standardised():
    spy = Spy()
    job = task(spy, alphas_cumprod=torch.full((1000,), 1.0 - 1e-9, dtype=torch.float64))
    train(job, 30)
    x_0 = torch.cat(spy.inputs)
    torch.testing.assert_close(x_0.mean(0), torch.zeros(2), atol=0.05, rtol=0)
    torch.testing.assert_close(x_0.abs().mean(0), torch.ones(2), atol=0.05, rtol=0)
    assert len({tuple(row) for row in x_0.tolist()}) > len(Moments())


@pytest.mark.parametrize("prediction", ["eps", "v", "x_0", "flow"])
def test_the_linear_baseline_is_the_best_linear_denoiser(prediction):
    """For Gaussian latents of unit variance nothing beats it: any other multiple of x_t is worse."""
    torch.manual_seed(0)
    job = task(Spy(), prediction=prediction, mean=torch.zeros(2), std=torch.ones(2))
    figures = job.evaluate({"latents": torch.zeros(4096, 2, 2)})
    flow = (1 + 2 * (TABLE * (1 - TABLE)).sqrt()).mean()
    expected = {"eps": TABLE.mean(), "v": torch.tensor(1.0), "x_0": (1 - TABLE).mean(), "flow": flow}[prediction]
    assert float(figures["linear"]) == pytest.approx(float(expected), rel=0.06)


class Oracle(nn.Module):
    """The best possible denoiser of two equal Gaussian clusters at (1, 1) and (-1, -1)."""

    def __init__(self, prediction):
        super().__init__()
        self.prediction, self.unused = prediction, nn.Parameter(torch.zeros(()))

    def forward(self, x_t, t, context=None, condition=None):
        a = broadcast(TABLE[t].float(), x_t)
        inner = torch.tensor(-6.0).exp() / Moments.spread**2
        variance = a * inner + 1 - a
        centre = torch.tanh((a.sqrt() * x_t / variance).sum(1, keepdim=True))
        x_0 = centre + inner * a.sqrt() / variance * (x_t - a.sqrt() * centre)
        return target(self.prediction, x_0, (x_t - a.sqrt() * x_0) / (1 - a).sqrt(), a)


@pytest.mark.parametrize("prediction", ["eps", "v", "x_0"])
def test_it_learns_and_its_samples_are_the_data(prediction):
    """Held-out loss comes close to the best there is, below the linear one, and samples fall on the clusters."""
    torch.manual_seed(0)
    network = LatentMlp(latent_dim=2, hidden=(32,), time_dim=32, dropout=0.0)
    job = task(network, prediction=prediction, validation_draws=16)
    train(job, 200, lr=1e-2, batch_size=128)
    network.eval()
    with torch.no_grad():
        held_out = BatchLoader(Moments(), batch_size=64, shuffle=False)
        figures = Validation(job, held_out, device=CPU)()
        oracle = task(Oracle(prediction), prediction=prediction, validation_draws=16)
        best = Validation(oracle, held_out, device=CPU)()["val/loss"]
    assert best <= figures["val/loss"] < best + 0.35 * (figures["val/linear"] - best)
    noise = SeededNoise(0, range(128))
    walk = x0_denoiser(network, TABLE, prediction)
    x = ddim(walk, noise.draw(torch.empty(128, 2)), TABLE, steps=timesteps(1000, 50), draw=noise.draw)
    assert ((x.abs() - 1).abs() < 0.3).all(1).float().mean() > 0.9
    assert 0.25 < (x[:, 0] > 0).float().mean() < 0.75


def test_min_snr_weights_the_loss():
    torch.manual_seed(0)
    batch, losses = {"latents": moments(4096)}, []
    for gamma in (0.0, 5.0):
        torch.manual_seed(1)
        turn = next(task(Spy(), mean=torch.zeros(2), std=torch.ones(2), min_snr_gamma=gamma).step(batch, StepContext()))
        losses.append(turn.loss.item())
    expected = float(min_snr_weight("eps", TABLE, 5.0).mean())
    assert expected < 0.95 and losses[1] / losses[0] == pytest.approx(expected, rel=0.04)


def moments(count, dim=2):
    """Latents of unit Gaussians, each surely known."""
    return torch.stack([torch.randn(count, dim), torch.full((count, dim), -6.0)], dim=1)


class Conditioned(Spy):
    """Notes what it is told beside the latents."""

    def __init__(self):
        super().__init__()
        self.texts, self.sars = [], []

    def forward(self, x_t, t, context, condition):
        self.texts.append(context)
        self.sars.append(condition)
        return super().forward(x_t, t)


class ByInputs(Spy):
    """Answers what its inputs say, scaled by the timestep."""

    def forward(self, x_t, t, context=None, condition=None):
        self.inputs.append(x_t)
        return (context.sum((1, 2)) + t / 1000)[:, None] + condition


TEXT = ConditionInput("text", "context", 0.25, torch.full((1, 3), 9.0))
CONDITIONING = Conditioning((TEXT, ConditionInput("sar", "condition")))


def test_inputs_are_left_out_in_training_and_whole_in_validation():
    network = Conditioned()
    job = task(network, conditioning=CONDITIONING, validation_draws=2)
    batch = {"latents": moments(2000), "text": torch.ones(2000, 4, 3), "sar": torch.ones(2000, 2)}
    torch.manual_seed(0)
    next(job.step(batch, StepContext()))
    absent = (network.texts[0] == 9).all((1, 2))
    assert float(absent.float().mean()) == pytest.approx(0.25, abs=0.04)
    assert (network.texts[0][~absent] == 1).all() and torch.equal(network.sars[0], batch["sar"])
    job.evaluate(batch)
    asked = torch.cat(network.texts[1:])
    assert len(asked) == 2 * 2000 and (asked == 1).all()


def test_small_batches_are_asked_of_several_draws_in_one_go(monkeypatch):
    """The answers are those to one draw after the other, each with the inputs of its own latents."""
    batch = {"latents": moments(3), "text": torch.randn(3, 4, 3), "sar": torch.randn(3, 2)}
    figures = []
    for most, calls in ((0, 8), (4 * 3 * 2, 2), (1 << 14, 1)):
        monkeypatch.setattr(diffusion, "ASKED_AT_ONCE", most)
        network = ByInputs()
        torch.manual_seed(5)
        figures.append(task(network, conditioning=CONDITIONING, validation_draws=8).evaluate(batch))
        assert len(network.inputs) == calls
    for other in figures[1:]:
        assert all(torch.allclose(other[name], value) for name, value in figures[0].items())


def test_conditions_do_not_move_the_noise_of_training():
    """The same latents, timesteps and noise, whether or not inputs are left out afterwards."""
    batch = {"latents": moments(16), "text": torch.ones(16, 4, 3), "sar": torch.ones(16, 2)}
    inputs = []
    for network, options in ((Spy(), {}), (Conditioned(), {"conditioning": CONDITIONING})):
        torch.manual_seed(5)
        next(task(network, **options).step(batch, StepContext()))
        inputs.append(network.inputs[0])
    assert torch.equal(*inputs)


def test_validation_asks_every_latent_in_every_part_of_the_schedule():
    spy = Spy()
    task(spy, validation_draws=8, timestep_sampling="logit_normal").evaluate({"latents": moments(50)})
    parts = torch.tensor(spy.seen).view(8, 50) // 250
    assert parts.tolist() == [[part] * 50 for part in (0, 0, 1, 1, 2, 2, 3, 3)]
    with pytest.raises(ValueError, match="even"):
        task(spy, validation_draws=3)


def test_quarters_of_the_schedule_are_measured_apart():
    job = task(Linear(), mean=torch.zeros(()), std=torch.ones(()), validation_draws=16)
    figures = job.evaluate({"latents": moments(400, dim=8)})
    for name in ("loss", "linear"):
        quarters = [float(figures[f"{name}_q{k}"]) for k in (1, 2, 3, 4)]
        assert sum(quarters) / 4 == pytest.approx(float(figures[name]), rel=1e-5)
    # Of eps on unit normal latents nothing can be told but the share of signal, which falls with the noise.
    signal = [float(part.mean()) for part in TABLE.chunk(4)]
    assert [float(figures[f"linear_q{k}"]) for k in (1, 2, 3, 4)] == pytest.approx(signal, abs=0.05)
    few = task(Linear(), mean=torch.zeros(()), std=torch.ones(()), validation_draws=12)
    assert set(few.evaluate({"latents": moments(4)})) == {"loss", "linear", "loss_variance"}


class Linear(nn.Module):
    """The best eps of unit Gaussians; wrong by a little, as a network is."""

    def forward(self, x_t, t, context=None, condition=None):
        noise = (1 - broadcast(TABLE[t].float(), x_t)).sqrt()
        return 0.98 * noise * x_t


def figures_of_seeds(draws, images, seeds=48):
    job = task(Linear(), mean=torch.zeros(()), std=torch.ones(()), validation_draws=draws)
    figures = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        accumulator = job.validation()
        accumulator.update({"latents": images}, len(images))
        figures.append(accumulator.compute(SingleProcess()))
    return figures


def test_stratified_validation_has_a_small_error_and_knows_it():
    """On the same two images with other noise and timesteps: as another seed of the trainer's would give."""
    torch.manual_seed(0)
    images = moments(2, dim=64)
    single, stratified = figures_of_seeds(1, images), figures_of_seeds(16, images)
    before, after = (stdev(f["loss"] for f in figures) for figures in (single, stratified))
    assert after < before / 5
    reported = fmean(f["loss_se"] ** 2 for f in stratified) ** 0.5
    assert 0.5 < reported / after < 2
    assert set(single[0]) == {"loss", "linear"}


def test_noise_is_offset_in_training_alone():
    class Wide(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.seen = nn.Parameter(torch.zeros(())), []

        def forward(self, x_t, t):
            self.seen.append(x_t)
            return x_t * self.weight

    def spread(training, offset):
        torch.manual_seed(0)
        network = Wide()
        last = torch.full((1000,), 1e-6, dtype=torch.float64)
        job = DiffusionTask(network, alphas_cumprod=last, mean=torch.zeros(1), std=torch.ones(1), noise_offset=offset)
        batch = {"latents": torch.zeros(2000, 2, 4, 8)}
        job.answer(batch) if training else job.evaluate(batch)
        return float(network.seen[0].mean(-1).var())

    assert spread(True, 0.0) == pytest.approx(1 / 8, rel=0.05) == spread(False, 2.0)
    assert spread(True, 2.0) == pytest.approx(1 / 8 + 4, rel=0.05)


def test_what_is_trained_is_what_is_named():
    network, beside = nn.Linear(2, 2), nn.Linear(3, 3)
    assert list(task(network).modules()) == ["denoiser"] and len(task(network).groups()["denoiser"]) == 2
    job = task(network, trained={"beside": beside})
    assert job.modules() == {"beside": beside} and job.groups()["denoiser"] == list(beside.parameters())


class Sheet(nn.Module):
    """A denoiser that answers with what it has learnt for each place, whatever it is shown."""

    def __init__(self):
        super().__init__()
        self.answer = nn.Parameter(torch.zeros(1, 2, 4, 4))

    def forward(self, x_t, t, context=None, condition=None):
        return self.answer.expand_as(x_t)


def test_cells_without_data_have_no_part_in_losses_and_figures():
    network = Sheet()
    job = DiffusionTask(
        network, alphas_cumprod=TABLE, mean=torch.zeros(2, 1, 1), std=torch.ones(2, 1, 1), validation_draws=2
    )
    moments = torch.stack([torch.randn(3, 2, 4, 4), torch.full((3, 2, 4, 4), -6.0)], 1)
    valid = torch.ones(3, 1, 8, 8, dtype=torch.bool)
    valid[0, ..., :4], valid[1:, ..., :2] = False, False
    batch = {"latents": moments, "valid": valid}
    torch.manual_seed(2)
    next(job.step(batch, StepContext())).loss.backward()
    assert not network.answer.grad[..., 0].any() and network.answer.grad[..., 1:].all()
    other = moments.clone()
    other[..., 0] = 9
    results = []
    for given in (batch, {**batch, "latents": other}):
        torch.manual_seed(2)
        results.append(job.evaluate(given))
    assert results[0].keys() == results[1].keys() and float(results[0][COUNTED]) == pytest.approx((2 + 3 + 3) / 12)
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])


def test_a_mask_of_nothing_gives_the_losses_of_none():
    job = DiffusionTask(
        Sheet(), alphas_cumprod=TABLE, mean=torch.zeros(2, 1, 1), std=torch.ones(2, 1, 1), validation_draws=8
    )
    plain = {"latents": torch.randn(3, 2, 2, 4, 4)}
    results = []
    for batch in (plain, plain | {"valid": torch.ones(3, 1, 8, 8, dtype=torch.bool)}):
        torch.manual_seed(2)
        results.append({name: value for name, value in job.evaluate(batch).items() if name != COUNTED})
    assert results[0].keys() == results[1].keys() and "loss_q4" in results[0]
    for name, value in results[0].items():
        torch.testing.assert_close(results[1][name], value)
