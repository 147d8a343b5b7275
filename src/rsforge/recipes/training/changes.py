"""What may change when a run goes on, what may not, and what is said of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.training.build import build_rate
from rsforge.recipes.training.job import TrainSettings, as_model
from rsforge.recipes.training.output_dir import read_ending
from rsforge.settings.sections import DEFAULT, Location, flatten, settings_of, spell_flag
from rsforge.wording import count_noun

# What does not move the trajectory.
FREE = {
    "output_dir", "base_dir", "resume", "overwrite", "device", "num_workers", "pin_memory", "processes", "multi_gpu",
    "distributed", "nodes", "report_to", "log_dir", "on_bad", "epochs", "max_train_steps", "save_every",
    "save_every_steps", "save_every_minutes", "sample_every", "sample_every_steps", "copy_partners",
    "keep_checkpoints", "compile", "channels_last", "data_dir", "split", "project", "vae_checkpoint",
    "clip_checkpoint", "stage1_checkpoint", "vgg_weights", "latent_cache", "latent_cache_dir",
    "early_stopping_patience", "early_stopping_delta", "oscillation_window", "oscillation_threshold",
    "pretrained_model", "tokenizer", "variant", "allow_pickle", "download", "revision", "push_to_hub", "hub_private",
    "text_cache", "validation_prompt", "validation_images", "validation_steps", "validation_guidance_scale",
}  # fmt: skip
# What a message or its remedy asks to change.
REMEDIES = {"on_nonfinite", "log_every"}
RATES = {"learning_rate", "lr_disc"}
NOT_FINITE = "RSF-T001"
STRETCHED = ("cosine", "linear")
SOURCES = ("checkpoint ", "autoencoder ")


class Change(NamedTuple):
    """A setting that is not what it was when the checkpoint was written."""

    name: str
    before: Any
    now: Any

    def __str__(self) -> str:
        return f"--{self.name.replace('_', '-')} was {self.before}, is {self.now}"


def check_same(state: Mapping[str, Any], settings: TrainSettings, images: Mapping[str, Any], console: Console) -> None:
    """RSF-C008 when settings that shape the trajectory, or the images, are not those of the run to go on with.

    What a remedy asks for is taken and said: --on-nonfinite and --log-every, and a lower learning rate after a loss
    that was not finite. Other --epochs are said with what they do to the learning rate.
    """
    folder = settings.run.output_dir
    changes = list(_changes(state["settings"], as_model(settings)))
    lowered = [change for change in changes if _is_remedy(change, folder)]
    refused = [change for change in changes if (change.name not in FREE or _is_start(change)) and change not in lowered]
    if refused:
        found = "; ".join(str(change) for change in refused[:5])
        raise RsforgeError("RSF-C008", "settings differ from the run to resume", where=str(folder), found=found)
    if state["images"] != {name: images.get(name) for name in state["images"]}:  # older runs know no third side
        found = f"{count_noun(state['images']['train'], 'training image')} then, {images['train']} now, or others"
        raise RsforgeError("RSF-C008", "the images are not those of the run to resume", where=str(folder), found=found)
    for change in lowered:
        console.say(f"changed    {change}")
    for line in _length(state, changes, settings):
        console.say(line)


def _changes(stored: Mapping[str, Any], settings: BaseModel) -> Iterator[Change]:
    """Every setting that differs; what the run did not know of was as by default, or as before there was a choice."""
    model = type(settings)
    before = {
        name: to_jsonable_python(setting.field.get_default(call_default_factory=True))
        for name, setting in settings_of(model).items()
        if not setting.field.is_required()
    }
    before |= stored_values(stored, model) | _unknown(stored, model)
    now = flatten(settings, model)
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            yield Change(name, before.get(name), now.get(name))


def stored_values(stored: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """The settings of a checkpoint by flat name, in the words of today: a choice was once true or false."""
    known = settings_of(model)
    values: dict[str, Any] = getattr(model, "former", {}) | flatten(stored, model)
    return {name: spell_flag(known[name].field, value) for name, value in values.items()}


def _unknown(stored: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Settings of a checkpoint that this command does not have."""
    known = {setting.loc for setting in settings_of(model).values()}
    places: dict[Location, Any] = {
        (section, key): value
        for section, values in stored.items()
        if isinstance(values, Mapping)
        for key, value in values.items()
    }
    places |= {(name,): value for name, value in stored.items() if not isinstance(value, Mapping)}
    return {place[-1]: value for place, value in places.items() if place not in known}


def _is_start(change: Change) -> bool:
    """Whether a run from scratch would go on from a pretrained model, or the other way round, wherever that lies."""
    return change.name == "pretrained_model" and None in (change.before, change.now)


def _is_remedy(change: Change, folder: Path) -> bool:
    if change.name in REMEDIES:
        return True
    return change.name in RATES and change.now < change.before and read_ending(folder) == NOT_FINITE


def _length(state: Mapping[str, Any], changes: list[Change], settings: TrainSettings) -> Iterator[str]:
    """One line where the run becomes longer or shorter: what that does to the learning rate from here on."""
    before, now = state["settings"]["loop"], settings.loop.model_dump()
    if not {"epochs", "max_train_steps"}.intersection(change.name for change in changes):
        return
    optim, step, per_epoch = settings.optim, state["progress"]["step"], state["progress"]["shape"][1]
    said = f"changed    {_spell_length(before)} is now {_spell_length(now)}: the learning rate"
    if optim.lr_scheduler not in STRETCHED:
        yield f"{said} ({optim.lr_scheduler}) does not depend on the length of the run"
        return
    lengths = [loop.get("max_train_steps") or loop["epochs"] * per_epoch for loop in (before, now)]
    then, from_here = (build_rate(optim, per_epoch=per_epoch, goal=length).at(step) for length in lengths)
    rates = f"goes on at {from_here:.3g} in place of {then:.3g}"
    yield f"{said} ({optim.lr_scheduler}) now ends at step {lengths[1]}, and {rates}"


def _spell_length(loop: Mapping[str, Any]) -> str:
    """The option that says how long a run is, with its value."""
    steps = loop.get("max_train_steps")
    return f"--max-train-steps {steps}" if steps else f"--epochs {loop['epochs']}"


@contextlib.contextmanager
def name_source(data_dir: str, console: Console) -> Iterator[None]:
    """Let an error over images that are not there name the checkpoint that ``data_dir`` was taken from."""
    try:
        yield
    except RsforgeError as error:
        source = console.origins.get("data_dir", "").removeprefix(f"{DEFAULT}: ")
        if error.code == "RSF-D001" and source.startswith(SOURCES):
            error.found = f"{data_dir} is the --data-dir of {source}, looked for in {Path.cwd()}"
            error.fix = "name the folder of the images with --data-dir"
        raise
