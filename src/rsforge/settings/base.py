"""The vocabulary shared by every command: sections of options, each one panel of its help."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from rsforge.settings.sections import PathText, Section, also


def _rising(span: tuple[float, float]) -> tuple[float, float]:
    if not span[0] < span[1]:
        raise ValueError("must be a low and a higher number")
    return span


Range = Annotated[tuple[float, float], AfterValidator(_rising)]
SplitChoice = Annotated[str, PathText(("auto", "none"))]
DataFolder = Annotated[str, PathText(("synthetic",))]
Device = Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]
# Every number has two bounds: beyond them no machine could follow, and a slip of the keyboard is a usage error.
Count = Annotated[int, Field(ge=1, le=10**9)]
CountOrZero = Annotated[int, Field(ge=0, le=10**9)]
SensorName = Annotated[str, PathText(("landsat7", "landsat8", "landsat9"))]
"""Response functions by their name, or a table of them."""
BandName = Annotated[str, Field(min_length=1, max_length=200)]
"""A band of a raster by its number from 1 or by its name."""
BatchSize = Annotated[int, Field(ge=1, le=65_536)]
Workers = Annotated[int, Field(ge=0, le=256)]
Processes = Annotated[int, Field(ge=1, le=1024)]
Pixels = Annotated[int, Field(ge=1, le=1_000_000)]
ImageSize = Annotated[int, Field(ge=8, le=16_384)]
Width = Annotated[int, Field(ge=1, le=65_536)]
Widths = Annotated[tuple[Width, ...], Field(max_length=16)]
Layers = Annotated[int, Field(ge=1, le=64)]
Share = Annotated[float, Field(ge=0, le=1)]
ShareBelowOne = Annotated[float, Field(ge=0, lt=1)]
Weight = Annotated[float, Field(ge=0, le=1e6)]
Minutes = Annotated[float, Field(ge=0, le=100_000)]
LearningRate = Annotated[float, Field(gt=0, le=100)]

BASE_DIR = "Folder that every relative path of this command is joined to."
DATA_DIR = "Folder of images, searched at any depth; the word `synthetic` generates scenes instead."
DEVICE = "Where to compute; auto takes the first of cuda, mps, cpu that is there."
DEVICES = also(metavar="NAME", choices=["auto", "cuda", "cuda:N", "mps", "cpu"])
ON_BAD = "What to do about an image that cannot be used: stop and name it, or leave it out and name it."
OVERLAP = (
    "Find patches that share pixels by what they show (moved, compressed or brighter, not turned or resized), and keep "
    "them together."
)
SPLIT = (
    "File made by `rsforge data split` that says which image is in which subset; auto takes split.json of the data "
    "folder when it is there, none ignores it."
)
TEST_FRACTION: Any = Field(
    None,
    description="Share held out of training and of choosing, to judge the best model by; 0 judges it by the images "
    "that chose it. When absent, --val-fraction where that is 20 images or 5 scenes for each of both sides, else 0.",
)
"""The option of every training that divides its data."""
FORMER_SIDES: Mapping[str, Any] = {"test_fraction": 0.0}
"""Checkpoints from before there was a third side have two."""
SENSORS = also(metavar="NAME|FILE")
SENSOR_OF_PATCHES = "Sensor that the patches simulate, where they do not say it: landsat7 to landsat9, or a table."
RECOMPUTE = "Recompute activations: less memory, more time."
BATCH = "Images per batch; lower it when memory runs out."


class RunSettings(Section):
    """Run"""

    output_dir: Path = Field(
        Path("runs"),
        description="Folder for everything the run writes.",
        json_schema_extra=also("--save-dir", basic=True),
    )
    base_dir: Path = Field(Path(), description=BASE_DIR)
    resume: Annotated[str | None, PathText(("auto",))] = Field(
        None,
        description="Checkpoint to continue from; without a value the newest in the output folder.",
        json_schema_extra=also("--resume-from", bare="auto", metavar="[PATH]", basic=True),
    )
    overwrite: bool = Field(False, description="Replace what the output folder holds of an earlier run.")
    seed: Seed = Field(42, description="Seed of everything random.")
    device: Device = Field("auto", description=DEVICE, json_schema_extra=DEVICES)
    num_workers: Workers = Field(
        4, description="Processes that read data, never more than there are cores; 0 reads in the main process."
    )
    pin_memory: bool = Field(True, description="Page-locked memory for batches on their way to a CUDA device.")
    processes: Processes = Field(1, description="Training processes on this machine, one a device.")
    multi_gpu: bool = Field(False, description="One training process for each GPU of this machine, as --processes.")
    distributed: bool = Field(False, description="Refuse to run unless torchrun or --processes started the process.")
    nodes: Processes = Field(1, description="Machines of the run, each with --processes.")
    deterministic: bool = Field(False, description="Only deterministic kernels: slower, the same to the bit.")
    report_to: tuple[Literal["tensorboard", "wandb", "none"], ...] = Field(
        ("tensorboard",),
        description="Trackers to write to, beside journal.jsonl; wandb stays offline without a login or WANDB_API_KEY.",
    )
    copy_partners: bool = Field(
        False, description="Keep the checkpoints of the models that this one builds on in the output folder."
    )
    log_dir: Path | None = Field(
        None, description="Folder of TensorBoard's files; tensorboard in the output folder when absent."
    )
    project: str = Field("rsforge", description="Project of the run in Weights & Biases.")
    log_every: Count = Field(10, description="Optimizer steps between two lines of the journal.")
    on_bad: Literal["error", "skip"] = Field("error", description=ON_BAD)
    on_nonfinite: Literal["stop", "skip"] = Field(
        "stop", description="What to do about a loss that is not finite: stop, or leave that batch out."
    )


class LoopSettings(Section):
    """Training loop"""

    epochs: Count = Field(100, description="Passes over the training images.", json_schema_extra=also(basic=True))
    max_train_steps: Count | None = Field(
        None, description="Optimizer steps of the run, instead of --epochs.", json_schema_extra=also(replaces="epochs")
    )
    batch_size: BatchSize = Field(16, description=BATCH, json_schema_extra=also(basic=True))
    grad_accum: Count = Field(
        1,
        description="Batches whose gradients make one optimizer step.",
        json_schema_extra=also("--gradient-accumulation-steps"),
    )
    max_grad_norm: Weight = Field(
        1.0,
        description="Largest norm of the gradient; 0 does not clip.",
        json_schema_extra=also("--grad-clip-norm"),
    )
    mixed_precision: Literal["no", "fp16", "bf16", "auto"] = Field(
        "no",
        description="Half precision where it is safe; without a value, or auto, what the device does best.",
        json_schema_extra=also(bare="auto", negative="no"),
    )
    save_every: Count = Field(10, description="Epochs between two kept checkpoints.")
    save_every_steps: Count | None = Field(
        None,
        description="Optimizer steps between two kept checkpoints, instead of --save-every.",
        json_schema_extra=also("--checkpointing-steps", replaces="save_every"),
    )
    save_every_minutes: Minutes = Field(
        10.0,
        description="Minutes of training after which the latest checkpoint is written again; 0 sets no limit.",
    )
    sample_every: Count = Field(10, description="Epochs between two sample pictures.")
    sample_every_steps: Count | None = Field(
        None,
        description="Optimizer steps between two sample pictures, instead of --sample-every.",
        json_schema_extra=also(replaces="sample_every"),
    )
    validate_every: Count = Field(1, description="Epochs between two measurements of the held-out images.")
    validate_every_steps: Count | None = Field(
        None,
        description="Optimizer steps between two measurements of the held-out images, instead of --validate-every.",
        json_schema_extra=also(replaces="validate_every"),
    )
    keep_checkpoints: CountOrZero = Field(0, description="Periodic checkpoints kept; 0 keeps all.")
    compile: bool = Field(False, description="Compile the networks with torch.compile.")
    channels_last: bool = Field(False, description="Store images with the channels last; faster on some GPUs.")


class OptimSettings(Section):
    """Optimisation"""

    optimizer: Literal["adamw", "adam", "adamw-8bit"] = Field(
        "adamw",
        description="Optimizer; adamw-8bit needs the package bitsandbytes.",
        json_schema_extra=also(stands_for={"--use-8bit-adam": "adamw-8bit"}),
    )
    learning_rate: LearningRate = Field(
        1e-4, description="Learning rate after warm-up.", json_schema_extra=also("--lr", basic=True)
    )
    betas: tuple[ShareBelowOne, ShareBelowOne] = Field(
        (0.9, 0.999), description="Decay of AdamW's two moments.", json_schema_extra=also(metavar="B1 B2")
    )
    adam_epsilon: Annotated[float, Field(gt=0, le=1)] = Field(
        1e-8, description="Added to the root of AdamW's second moment."
    )
    weight_decay: Weight = Field(0.0, description="Weight decay: decoupled with adamw, an L2 penalty with adam.")
    decay_norms: bool = Field(True, description="Weight decay of norms and biases too, not of weights alone.")
    lr_scheduler: Literal["cosine", "cosine_warm_restarts", "plateau", "linear", "constant", "none"] = Field(
        "none", description="Schedule of the learning rate; constant and none keep it."
    )
    lr_min: Annotated[float, Field(ge=0, le=100)] = Field(
        1e-5, description="Learning rate at the end of its schedule.", json_schema_extra=also("--min-lr")
    )
    lr_decay_start: ShareBelowOne = Field(
        0.0, description="Share of the run after which linear and cosine schedules begin to decrease."
    )
    lr_warmup_steps: CountOrZero = Field(
        0, description="Optimizer steps of linear warm-up.", json_schema_extra=also("--warmup-steps")
    )


class AverageSettings(Section):
    """Averaging"""

    ema: bool = Field(False, description="Keep an exponential moving average of the weights and sample with it.")
    ema_decay: ShareBelowOne = Field(0.995, description="Share of the old average kept at each step.")


class StoppingSettings(Section):
    """Stopping"""

    early_stopping_patience: CountOrZero = Field(
        0, description="Validations without improvement before training stops; 0 never stops."
    )
    early_stopping_delta: Weight = Field(1e-5, description="Smallest decrease of the loss that counts as improvement.")
    oscillation_window: int = Field(
        10, ge=2, le=1_000_000, description="Validations over which the loss is examined for a standstill."
    )
    oscillation_threshold: Weight = Field(
        0.0, description="Stop when the loss changes by less than this within the window; 0 never stops."
    )
