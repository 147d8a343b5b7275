"""What the user may say to ``rsforge cyclegan``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from rsforge.settings.base import (
    BASE_DIR,
    BATCH,
    DEVICE,
    DEVICES,
    FORMER_SIDES,
    ON_BAD,
    AverageSettings,
    BandName,
    BatchSize,
    CountOrZero,
    Device,
    LearningRate,
    LoopSettings,
    OptimSettings,
    Range,
    RunSettings,
    StoppingSettings,
    Weight,
    Width,
)
from rsforge.settings.data_pairs import CLIP, Unit
from rsforge.settings.document_keys import ADAM, DIVISION, MIRRORING, SECTIONS
from rsforge.settings.evaluation import EvaluationSettings
from rsforge.settings.pairs import PairDataSettings, PairTrainingSettings
from rsforge.settings.perceptual import DESCRIPTION, PERCEPTUAL, VGG_WEIGHTS, PerceptualChoice
from rsforge.settings.sections import Section, also
from rsforge.settings.views import FILL, Value

CHECKPOINT = "Checkpoint of the training."
MADE = also(made="cyclegan_models/best_model.pt", by="cyclegan train")
Direction = Literal["sar2optical", "optical2sar"]


class GanSettings(Section):
    """Networks"""

    base_width: Width = Field(64, description="Features of the outermost level; the inner ones have up to 8 times.")
    norm: Literal["instance", "batch"] = Field(
        "instance",
        description="What normalises the generators. At batch size 1 both train alike to the last bit but rounding; "
        "batch then evaluates and translates by running statistics that no training step used.",
    )
    critic_norm: Literal["batch", "instance"] | None = Field(
        None,
        description="Normalisation in the discriminators; batch when absent, instance for wgan-gp.",
        json_schema_extra=also("--discriminator-norm"),
    )
    attention: bool = Field(False, description="Self-attention layers in generators and discriminators.")
    sar_level: Literal["keep", "standardise", "both", "auto"] = Field(
        "keep",
        description="How the generator of optical images sees SAR ones: at their level, every image or tile at mean 0 "
        "and deviation 1, or both; auto is both where that is nearer to held-out pairs, else keep.",
    )
    linear_path: bool = Field(
        False,
        description="Fit a linear model of local SAR statistics to the training pairs first; the generator of optical "
        "images sees these statistics too, and learns what the model leaves.",
    )
    pool_size: CountOrZero = Field(
        50,
        description="Earlier fakes that each discriminator is shown half of the time, for each batch of a step; "
        "0 is none.",
    )


class GanLossSettings(Section):
    """Loss"""

    gan_loss: Literal["bce", "lsgan", "wgan-gp", "hinge"] = Field("bce", description="Adversarial loss.")
    lambda_cycle: Weight = Field(10.0, description="Weight of the cycle loss, in both directions.")
    lambda_l1: Weight = Field(100.0, description="Weight of the mean absolute error of the optical image.")
    lambda_content: Weight = Field(
        1.0,
        description="Weight of VGG16 features of the optical image; 0 needs none.",
        json_schema_extra=also(basic=True),
    )
    perceptual: PerceptualChoice = Field("auto", description=DESCRIPTION, json_schema_extra=PERCEPTUAL)
    lambda_identity: Weight = Field(0.0, description="Weight of the identity loss.")
    lambda_gp: Weight = Field(10.0, description="Weight of the gradient penalty of wgan-gp.")
    vgg_weights: Path | None = Field(None, description=VGG_WEIGHTS)
    best_by: Literal["score", "l1", "content", "cycle", "psnr", "ssim"] = Field(
        "score", description="Held-out figure of the best model; score is L1 and content as they are weighted."
    )


class GanOptimSettings(OptimSettings):
    """Optimisation"""

    learning_rate: LearningRate = Field(
        2e-4,
        description="Learning rate of the generators.",
        json_schema_extra=also("--lr", "--lr-gen", "--learning-rate-gen"),
    )
    lr_disc: LearningRate = Field(
        2e-4, description="Learning rate of the discriminators.", json_schema_extra=also("--learning-rate-disc")
    )


class CycleGanTrainSettings(Section):
    """Settings of ``rsforge cyclegan train``."""

    file_sections = SECTIONS
    file_keys = (*ADAM, *DIVISION, *MIRRORING)
    former: ClassVar[Mapping[str, Any]] = {"perceptual": "yes", **FORMER_SIDES}

    run: RunSettings = RunSettings(
        output_dir=Path("cyclegan_models"), num_workers=2, project="SARcyclegan-colorization-advanced"
    )
    data: PairTrainingSettings
    gan: GanSettings = GanSettings()
    loss: GanLossSettings = GanLossSettings()
    loop: LoopSettings = LoopSettings(
        epochs=100, batch_size=1, max_grad_norm=0.0, save_every=5, sample_every=5, keep_checkpoints=2
    )
    optim: GanOptimSettings = GanOptimSettings(betas=(0.5, 0.999), lr_min=0.0)
    average: AverageSettings = AverageSettings(ema=False)
    stopping: StoppingSettings = StoppingSettings(early_stopping_patience=0, oscillation_threshold=0.0)


class CycleGanTranslateSettings(Section):
    """Settings of ``rsforge cyclegan translate``."""

    checkpoint: Path = Field(description=CHECKPOINT, json_schema_extra=MADE)
    input: tuple[Path, ...] = Field(
        description="Images, folders searched at any depth, or .txt lists of images, one a line.",
        json_schema_extra=also("--input-image", "--input-dir", metavar="PATH..."),
    )
    output: Path = Field(
        description="Folder for the translations, under their names; for a single image its file.",
        json_schema_extra=also("--output-dir", "--output-path"),
    )
    base_dir: Path = Field(Path(), description=BASE_DIR)
    direction: Direction = Field(
        "sar2optical", description="Direction of translation.", json_schema_extra=also(basic=True)
    )
    bands: tuple[BandName, ...] = Field(
        (),
        description="Bands of the images to translate, by number from 1 or by name, in the order of the training; all "
        "when absent.",
        json_schema_extra=also(metavar="N,N..."),
    )
    fill: Value | None = Field(None, description=FILL)
    batch_size: BatchSize = Field(8, description="Tiles per batch; lower it when memory runs out.")
    tile: Annotated[int, Field(ge=16, le=16_384)] | None = Field(
        None,
        description="Tile size in pixels for large images; the training's image size when absent.",
    )
    overlap: Annotated[int, Field(ge=0, le=16_384)] | None = Field(
        None, description="Pixels that neighbouring tiles share, and are blended over; a quarter tile when absent."
    )
    radiometry: Unit = Field(
        "auto", description="Unit of the SAR values; auto is that of the training.", json_schema_extra=also(basic=True)
    )
    clip: Range | None = Field(None, description=CLIP, json_schema_extra=also(metavar="LOW HIGH"))
    overwrite: bool = Field(False, description="Replace translations of the same names.")
    skip_existing: bool = Field(False, description="Skip images whose translation exists already.")
    on_bad: Literal["error", "skip"] = Field("error", description=ON_BAD)
    device: Device = Field("auto", description=DEVICE, json_schema_extra=DEVICES)


class CycleGanEvaluateSettings(Section):
    """Settings of ``rsforge cyclegan evaluate``."""

    checkpoint: Path = Field(description=CHECKPOINT, json_schema_extra=MADE)
    data: PairDataSettings
    evaluation: EvaluationSettings = EvaluationSettings()
    base_dir: Path = Field(Path(), description=BASE_DIR)
    batch_size: BatchSize = Field(8, description=BATCH)
    on_bad: Literal["error", "skip"] = Field("error", description=ON_BAD)
    device: Device = Field("auto", description=DEVICE, json_schema_extra=DEVICES)


class CycleGanExportSettings(Section):
    """Settings of ``rsforge cyclegan export``."""

    checkpoint: Path = Field(description=CHECKPOINT, json_schema_extra=MADE)
    output_dir: Path = Field(
        Path("exported"), description="Folder for the exported generator.", json_schema_extra=also(basic=True)
    )
    base_dir: Path = Field(Path(), description=BASE_DIR)
    direction: Direction = Field(
        "sar2optical", description="Which generator: G_AB or G_BA.", json_schema_extra=also(basic=True)
    )
    formats: tuple[Literal["safetensors", "torch", "onnx"], ...] = Field(
        ("safetensors", "torch", "onnx"),
        min_length=1,
        description="What to write: weights, a torch.export program, ONNX.",
    )
    overwrite: bool = Field(False, description="Replace an earlier export.")
