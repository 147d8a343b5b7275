"""The card of an exported text-to-image model: README.md, with the fields that model hubs read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rsforge import __version__
from rsforge.models.pretrained.networks import PretrainedNetworks
from rsforge.models.pretrained.write_adapter import KOHYA_FILE, PEFT_FILE

UNKNOWN, WRITTEN_BY = "not stated", "written by rsforge"
TAGS = ("text-to-image", "stable-diffusion", "stable-diffusion-diffusers", "remote-sensing", "rsforge")
MOST_FIGURES = 60


@dataclass(frozen=True)
class ModelFacts:
    """What is known of a model beside its networks; what is empty is said to be unknown.

    ``source`` is where it came from, with the ``pretrained_model`` of a fine-tuning, ``adapters`` what was merged into
    it, ``metrics`` figures by name. ``data`` is what a training knows of its data: folder, numbers of images, digests.
    """

    title: str
    source: Mapping[str, Any]
    adapters: Sequence[Mapping[str, Any]] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    datasets: Sequence[str] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    license: str | None = None
    data_license: str | None = None
    base_model: str | None = None

    @property
    def begun_with(self) -> str | None:
        """The id of the base model, else the name that its folder or file had where it was fine-tuned."""
        return self.base_model or self.source.get("pretrained_model")


def write_card(facts: ModelFacts, networks: PretrainedNetworks) -> str:
    """The text of README.md."""
    return _put_together(facts, _describe(networks), _show_use(), TAGS)


def write_adapter_card(facts: ModelFacts, rank: int) -> str:
    """The text of README.md beside adapters alone."""
    what = (
        f"Low-rank adapters (LoRA) of rank {rank} for the attention of the U-Net of "
        f"{facts.begun_with or 'the model that they were trained on'}, {WRITTEN_BY} {__version__}: "
        f"`{PEFT_FILE}` for diffusers and peft, `{KOHYA_FILE}` for kohya's programs and the tools around them."
    )
    base = facts.base_model or f"PATH OF {facts.begun_with or 'THE MODEL THAT THEY WERE TRAINED ON'}"
    lines = 'pipeline.load_lora_weights("PATH OF THIS FOLDER")\n'
    return _put_together(facts, what, _show_use(base, lines, f" --lora {PEFT_FILE}"), (*TAGS, "lora"))


def _put_together(facts: ModelFacts, described: str, use: str, tags: Sequence[str]) -> str:
    sections = [
        f"# {facts.title}", described, "## Use", use, "## Made from", _list_sources(facts),
        "## Data", _list_items([*facts.datasets, *_tell_data(facts.data)]),
        f"Licence of the data: {facts.data_license or UNKNOWN}.",
        "## Licence", _explain_licence(facts), "## Settings", _show_settings(facts.settings),
        "## Figures", _tabulate(facts.metrics), "## Limits", _LIMITS,
    ]  # fmt: skip
    return f"{_write_fields(facts, tags)}\n" + "\n\n".join(sections) + "\n"


_LIMITS = (
    "Images are drawn, not measured: what they show was never seen by a sensor, and no figure should be read off them. "
    "`rsforge.json` beside this card records the weights and how they were made."
)


def _write_fields(facts: ModelFacts, tags: Sequence[str]) -> str:
    """The fields in front of the card; a JSON text is a YAML text too."""
    fields: dict[str, Any] = {"library_name": "diffusers", "pipeline_tag": "text-to-image", "tags": list(tags)}
    fields |= {"license": facts.license, "base_model": facts.base_model, "datasets": list(facts.datasets)}
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items() if value]
    return "\n".join(["---", *lines, "---"])


def _describe(networks: PretrainedNetworks) -> str:
    family = "2.x" if networks.text_encoder.architecture["hidden_act"] == "gelu" else "1.x"
    parts = {"U-Net": networks.unet, "autoencoder": networks.autoencoder, "text encoder": networks.text_encoder}
    counts = ", ".join(f"{name} {sum(p.numel() for p in net.parameters()):,}" for name, net in parts.items())
    return (
        f"A text-to-image model in the layout of Stable Diffusion {family}, {WRITTEN_BY} {__version__}. It draws "
        f"images of {networks.image_size} x {networks.image_size} pixels and predicts {networks.schedule.prediction}. "
        f"Parameters: {counts}."
    )


def _show_use(place: str = "PATH OF THIS FOLDER", more: str = "", options: str = "") -> str:
    prompt = "a satellite image of a crop field"
    python = (
        "from diffusers import StableDiffusionPipeline\n\n"
        f'pipeline = StableDiffusionPipeline.from_pretrained("{place}")\n{more}'
        f'image = pipeline("{prompt}", num_inference_steps=100, guidance_scale=7.5).images[0]'
    )
    shell = f'rsforge sample --pipeline "{place}"{options} --prompt "{prompt}"'
    return f"```python\n{python}\n```\n\n```bash\n{shell}\n```"


def _list_sources(facts: ModelFacts) -> str:
    rows = [f"{name}: {value}" for name, value in facts.source.items() if isinstance(value, str | int | float)]
    rows += [
        f"adapter: {one['file']}, weight {one['weight']:g}, {one['layers']} layers, SHA-256 {one['sha256']}"
        for one in facts.adapters
    ]
    return _list_items(rows)


def _tell_data(data: Mapping[str, Any]) -> list[str]:
    """What a training knows of its data in a line or two, none where it knows nothing."""
    ends = {"train": "trained on", "held_out": "that chose the checkpoint", "test": "that judge it"}
    counts = [f"{data[name]} {end}" for name, end in ends.items() if data.get(name)]
    folder = f" in the folder `{data['folder']}`" if data.get("folder") else ""
    rows = [f"images with captions{folder}: {', '.join(counts)}"] if counts else []
    digests = {"split": "the images that trained and chose", "captions": "their captions"}
    return rows + [f"SHA-256 of {what}: {data[name]}" for name, what in digests.items() if data.get(name)]


def _list_items(items: Sequence[str]) -> str:
    return "\n".join(f"- {item}" for item in items) or f"{UNKNOWN.capitalize()}."


def _explain_licence(facts: ModelFacts) -> str:
    of_base = f" of {facts.begun_with}" if facts.begun_with else " of the model that it was made from"
    return f"{facts.license or UNKNOWN.capitalize()}. The terms{of_base} and of its data hold beside it."


def _show_settings(settings: Mapping[str, Any]) -> str:
    if not settings:
        return f"{UNKNOWN.capitalize()}."
    return f"```json\n{json.dumps(settings, indent=2, ensure_ascii=False)}\n```"


def _tabulate(metrics: Mapping[str, Any]) -> str:
    rows = list(list_figures(metrics))[:MOST_FIGURES]
    if not rows:
        return f"{UNKNOWN.capitalize()}."
    return "\n".join(["| figure | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def list_figures(tree: Mapping[str, Any], place: str = "") -> list[tuple[str, str]]:
    """Numbers and words in nested mappings, by their place: ``fid.value``."""
    rows: list[tuple[str, str]] = []
    for key, value in tree.items():
        name = f"{place}.{key}" if place else str(key)
        if isinstance(value, Mapping):
            rows += list_figures(value, name)
        elif isinstance(value, str | int | float):
            shown = f"{value:.6g}" if isinstance(value, float) else str(value)
            rows.append((name, shown.replace("|", "\\|").replace("\n", " ")))
    return rows
