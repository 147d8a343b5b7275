"""``rsforge cyclegan translate``: images of any size through one generator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rsforge import leftovers
from rsforge.data.scenes.inputs import find_inputs
from rsforge.engine import devices
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.cyclegan.load import load_generator
from rsforge.recipes.cyclegan.translated_level import warn_of_other_level
from rsforge.recipes.cyclegan.translation import translation_of
from rsforge.recipes.cyclegan.translation_jobs import plan_jobs
from rsforge.recipes.inference import output_paths
from rsforge.recipes.inference.skipped_images import SkippedImages
from rsforge.recipes.inference.tiled import ImageJob, Tiled
from rsforge.settings.cyclegan import CycleGanTranslateSettings
from rsforge.wording import count_noun

_MODALITIES: dict[str, Any] = {"sar2optical": "sar", "optical2sar": "optical"}


def translate(settings: CycleGanTranslateSettings, console: Console) -> dict[str, Any]:
    """Translate every image and write it under its name."""
    if settings.overwrite and settings.skip_existing:
        what = "what is there is either replaced or left alone"
        raise RsforgeError("RSF-U005", what, where="--overwrite, --skip-existing", fix="give one of them")
    single = output_paths.is_single(settings.input, settings.output)
    output_paths.check_place(settings.input, settings.output, single=single)
    modality, exclude = _MODALITIES[settings.direction], None if single else settings.output
    found = find_inputs(settings.input, modality=modality, exclude=exclude)
    for note in found.notes:
        console.say(f"images     {note}")
    device = devices.choose(settings.device)
    console.say(f"device     {devices.describe(device)}")
    net, restored = load_generator(settings.checkpoint, device, settings.direction)
    if settings.bands:
        console.say(f"bands      {', '.join(settings.bands)} of every image")
    translation = translation_of(settings, net, restored)
    if restored.state.get("scaled"):
        console.warn(_scaled_warning(translation.image_size))
    skipped = SkippedImages(console, settings.on_bad)
    jobs, there = plan_jobs(settings, translation, found, skipped, single=single)
    warn_of_other_level(restored.state, translation, jobs, console)
    if not console.dry_run:
        tiled = Tiled(
            lambda x, windows: net(x.to(device)),
            settings.batch_size,
            translation.takes.scale,
            translation.made.from_unit,
        )
        jobs = _run_jobs(settings, tiled, jobs, skipped)
    skipped.check_any([*jobs, *there])
    counts = {"images": len(jobs), "tiles": sum(len(job.grid) for job in jobs), "there": len(there)}
    named = {"left_out": skipped.images, "empty": skipped.empty}
    return {"output": str(settings.output), **counts, **named, "direction": settings.direction, "device": str(device)}


def describe(result: Mapping[str, Any]) -> str:
    """What was translated, where it lies and what was left out, in sentences; the same of a plan."""
    source, made = ("SAR", "optical") if result["direction"] == "sar2optical" else ("optical", "SAR")
    images = f"{count_noun(result['images'], 'image')} in {count_noun(result['tiles'], 'tile')}"
    lines = [f"{images}, from {source} to {made}, on {result['device']}", f"output: {result['output']}"]
    if result["there"]:
        lines.append(f"{count_noun(result['there'], 'file')} of an earlier call kept")
    if result["left_out"]:
        lines.append(f"{count_noun(len(result['left_out']), 'image')} left out:")
        lines += [f"  {_describe_left_out(image)}" for image in result["left_out"]]
    if result["empty"]:
        lines.append(f"without a valid pixel: {', '.join(result['empty'])}")
    return "\n".join(lines)


def _describe_left_out(image: Mapping[str, str]) -> str:
    name, reason = image["name"], image["reason"]
    return reason if name in reason else f"{name}: {reason}"


def _scaled_warning(image_size: int) -> str:
    seen = f"the training saw pairs that were scaled to {image_size} x {image_size} pixels"
    return f"{seen}: tiles of another ground resolution, as these may have, can look different"


def _run_jobs(
    settings: CycleGanTranslateSettings, tiled: Tiled, jobs: list[ImageJob], skipped: SkippedImages
) -> list[ImageJob]:
    console = skipped.console
    if not (settings.overwrite or settings.skip_existing):
        console.command += " --skip-existing"  # what goes on after an interruption
    leftovers.sweep_for(job.target.path for job in jobs)
    with console.progress("tile", sum(len(job.grid) for job in jobs)) as meter:
        return list(tiled.run(jobs, skipped, meter))
