"""The registry of error codes and exit codes: what every code means, and how the process ends with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit status of the process."""

    DONE = 0
    BUG = 1
    USAGE = 2
    DATA = 3
    CHECKPOINT = 4
    TRAINING = 5
    ENVIRONMENT = 6
    INTERRUPTED = 130
    TERMINATED = 143


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One row of the registry, which ``rsforge explain CODE`` prints: exit status, title, general remedy."""

    exit: ExitCode
    title: str
    advice: str


_U = ExitCode.USAGE
_D = ExitCode.DATA
_C = ExitCode.CHECKPOINT
_T = ExitCode.TRAINING
_E = ExitCode.ENVIRONMENT

REGISTRY: dict[str, ErrorKind] = {
    "RSF-B001": ErrorKind(ExitCode.BUG, "a bug in rsforge", "Run again with --debug for the traceback and report it."),
    "RSF-U001": ErrorKind(
        _U,
        "a setting was rejected",
        "Correct the named option, variable or file key; `rsforge config schema COMMAND` lists every key with its bounds.",
    ),
    "RSF-U002": ErrorKind(
        _U,
        "the command line was not understood",
        "Run the command with --help; misspelt options are suggested.",
    ),
    "RSF-U003": ErrorKind(
        _U,
        "a settings file cannot be read",
        "Settings files are TOML, JSON or YAML (YAML needs the extra `yaml`) with one table of known keys.",
    ),
    "RSF-U004": ErrorKind(
        _U,
        "the output folder already holds files",
        "Continue with --resume, replace with --overwrite, or name another --output-dir.",
    ),
    "RSF-U005": ErrorKind(_U, "two settings do not fit together", "Change one of the options named in the message."),
    "RSF-U006": ErrorKind(
        _U,
        "the output name is unusable",
        "Give --output a suffix that pictures have: .png, .jpg, .jpeg, .bmp, .tif, .tiff or .webp.",
    ),
    "RSF-U007": ErrorKind(_U, "no such name", "Use one of the listed names; the closest one is suggested."),
    "RSF-D001": ErrorKind(
        _D,
        "no images found",
        "Check the folder and the suffixes: .png .jpg .jpeg .bmp .tif .tiff .webp .jp2 in either case, at any depth.",
    ),
    "RSF-D002": ErrorKind(
        _D,
        "an image cannot be read",
        "Repair or remove the named files, or continue without them by --on-bad skip.",
    ),
    "RSF-D003": ErrorKind(
        _D,
        "the images have an unusable size or shape",
        "Choose an --image-size the model can take, or replace the named files.",
    ),
    "RSF-D004": ErrorKind(_D, "too little data", "Add images, lower --val-fraction or lower --batch-size."),
    "RSF-D005": ErrorKind(
        _D,
        "a path leaves the data folder",
        "Files named in tables must lie below the data folder; move them there or correct the table.",
    ),
    "RSF-D006": ErrorKind(
        _D,
        "a table cannot be used",
        "The message names the file and what is wrong: columns, rows, encoding or damage.",
    ),
    "RSF-D007": ErrorKind(
        _D,
        "rows cannot be used",
        "Repair the named rows, or continue without them by --on-bad skip.",
    ),
    "RSF-D008": ErrorKind(
        _D,
        "a raster or cube cannot be used",
        "The message names the file and the reason; nothing is guessed, followed or fetched.",
    ),
    "RSF-D009": ErrorKind(
        _D,
        "SAR and optical images do not pair",
        "Every SAR image needs its optical one of the same place, size and grid; `rsforge data audit` lists the faults.",
    ),
    "RSF-D010": ErrorKind(
        _D,
        "the values are not in the declared unit",
        "Declare it with --radiometry db, linear, dn or uint8, and --clip LOW HIGH; leave a value that stands for no data "
        "out with --fill VALUE.",
    ),
    "RSF-D011": ErrorKind(
        _D,
        "the split would leak",
        "Split --by scene or --by block, or accept it with --allow-leak.",
    ),
    "RSF-D012": ErrorKind(
        _D,
        "the split does not belong to the data",
        "Run `rsforge data split` again on the data as they are.",
    ),
    "RSF-D013": ErrorKind(
        _D,
        "the data set has faults",
        "Open audit.html; repair or remove what it names.",
    ),
    "RSF-D014": ErrorKind(
        _D,
        "the wavelengths do not fit",
        "Give the wavelengths of the cube with --wavelengths, or choose a sensor that it covers.",
    ),
    "RSF-C001": ErrorKind(
        _C,
        "checkpoint not found",
        "Train first, or correct the path; best_model.pt (of hsi best_model.pth) lies in the output folder of the training command.",
    ),
    "RSF-C002": ErrorKind(
        _C,
        "checkpoint damaged",
        "The file is truncated or its bytes have changed. Use latest_model.pt, best_model.pt or an older checkpoint.",
    ),
    "RSF-C003": ErrorKind(
        _C,
        "not an rsforge checkpoint",
        "Foreign and pickled files are refused and never executed. Use a checkpoint written by rsforge.",
    ),
    "RSF-C004": ErrorKind(
        _C,
        "checkpoint of another kind",
        "Give the checkpoint of the other command; `rsforge info FILE` says what a checkpoint is.",
    ),
    "RSF-C005": ErrorKind(_C, "checkpoint of a newer rsforge", "Upgrade rsforge to read it."),
    "RSF-C006": ErrorKind(
        _C,
        "checkpoints do not belong together",
        "Use the autoencoder that the diffusion model was trained with.",
    ),
    "RSF-C007": ErrorKind(
        _C,
        "weights do not fit the model",
        "Names or shapes differ; the file belongs to another architecture.",
    ),
    "RSF-C008": ErrorKind(
        _C,
        "settings differ from the run to resume",
        "Give the options of the first run again, or start a new run in another --output-dir.",
    ),
    "RSF-T001": ErrorKind(
        _T,
        "the loss is not finite",
        "Look at the named items; lower --learning-rate, or continue past single batches with --on-nonfinite skip.",
    ),
    "RSF-T002": ErrorKind(
        _T,
        "the gradient scale collapsed",
        "Half precision overflowed in every step; use --no-mixed-precision.",
    ),
    "RSF-T003": ErrorKind(
        _T,
        "the training has no result",
        "Look at journal.jsonl; begin anew with --overwrite and a lower --learning-rate, or with --no-mixed-precision.",
    ),
    "RSF-T005": ErrorKind(
        _T,
        "the model is not better than its baseline",
        "Train longer or on more images, or leave out --fail-below-baseline.",
    ),
    "RSF-T004": ErrorKind(
        _T,
        "an image that the model made is broken",
        "The message names the cause; lower --learning-rate, use --mixed-precision no, or go on from an older checkpoint.",
    ),
    "RSF-E001": ErrorKind(
        _E,
        "the disk is full",
        "Free space or name another --output-dir; what was written before is whole.",
    ),
    "RSF-E002": ErrorKind(_E, "permission denied", "What is named must be readable as input and writable as output."),
    "RSF-E003": ErrorKind(_E, "the run folder is in use", "Wait for the other run, or name another --output-dir."),
    "RSF-E004": ErrorKind(
        _E,
        "out of memory",
        "Lower what the command has of --batch-size (training: raise --grad-accum by the same factor), --image-size, "
        "--tile and --num-workers.",
    ),
    "RSF-E005": ErrorKind(
        _E,
        "the device is missing",
        "Use --device auto or cpu; `rsforge doctor` shows what there is.",
    ),
    "RSF-E006": ErrorKind(_E, "an optional package is missing", "Install the named extra."),
    "RSF-E007": ErrorKind(
        _E,
        "pretrained weights are missing",
        "Give them with the option that the message names, or leave out what needs them.",
    ),
    "RSF-E008": ErrorKind(
        _E,
        "a file or folder cannot be used",
        "Correct the path, or make it a file or folder that this user may use; the message names it and says why.",
    ),
    "RSF-E009": ErrorKind(
        _E,
        "a worker process died",
        "Often memory: lower --num-workers (0 loads in the main process) or --batch-size.",
    ),
    "RSF-E010": ErrorKind(
        _E,
        "an export does not give what the model gives",
        "Nothing was written. Leave that format out of --formats, or install the versions that constraints.txt names.",
    ),
    "RSF-E011": ErrorKind(
        _E,
        "a download failed",
        "Nothing was written. Try again, name a mirror with --source, or bring the file from another machine.",
    ),
    "RSF-E012": ErrorKind(
        _E,
        "other training processes did not come",
        "Start them all, or unset RANK and WORLD_SIZE to train in one process.",
    ),
    "RSF-E013": ErrorKind(
        _E,
        "a model could not be pushed to the hub",
        "The model is whole in its folder. Correct what the message names and push again; what arrived is not sent twice.",
    ),
    "RSF-I130": ErrorKind(
        ExitCode.INTERRUPTED,
        "interrupted",
        "Finished files are complete, and a training wrote a checkpoint; run the command shown to continue.",
    ),
    "RSF-I143": ErrorKind(
        ExitCode.TERMINATED,
        "terminated",
        "Finished files are complete, and a training wrote a checkpoint; run the command shown to continue.",
    ),
}
