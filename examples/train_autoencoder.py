"""Train an autoencoder on drawn scenes from Python, then measure it.

A command is two functions: one speaks shell, one speaks Python. This is what `rsforge vae train` and
`rsforge vae evaluate` do once they have read their options. About 15 seconds.
"""

from __future__ import annotations

from pathlib import Path

from rsforge.data.synthetic.tile_dataset import write_tiles
from rsforge.engine import journal
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.vae import evaluate as vae_evaluate
from rsforge.recipes.vae import train as vae_train
from rsforge.settings.base import LoopSettings, OptimSettings, RunSettings
from rsforge.settings.vae import AutoencoderSettings, VaeEvaluateSettings, VaeTileSettings, VaeTrainSettings

TILES, OUTPUT = Path("tiles"), Path("vae_models")

# The sections are the panels of `rsforge vae train --help`; what is not given here has the default shown there.
SETTINGS = VaeTrainSettings(
    run=RunSettings(output_dir=OUTPUT, overwrite=True, seed=0, num_workers=0, report_to=("none",)),
    data=VaeTileSettings(data_dir=str(TILES), image_size=32),
    # A short run cannot both hold 25 nats strictly and learn to paint: a light weight keeps the target a guide.
    autoencoder=AutoencoderSettings(
        channels=(16, 32, 64), latent_dim=32, perceptual=False, kl_weight=1e-3, kl_warmup=4
    ),
    loop=LoopSettings(epochs=10, batch_size=16),
    optim=OptimSettings(learning_rate=2e-3),
)


def main() -> None:
    write_tiles(TILES, 200, size=32, seed=0)
    # A recipe reports what it does through a console; yours may be a window, a log or, here, nothing.
    result = vae_train.train(SETTINGS, SilentConsole())
    print(f"trained {result['steps']} steps, best after epoch {result['best_epoch']}: {result['best_model']}")

    for row in journal.read(OUTPUT / "journal.jsonl"):
        if row.get("closed"):
            print(f"  epoch {row['epoch']:2}  held-out mse {row['val/mse']:.4f}  kl {row['val/kl']:5.1f} nats")

    checkpoint = Path(result["best_model"])
    measured = vae_evaluate.evaluate(VaeEvaluateSettings(checkpoint=checkpoint, data_dir=str(TILES)), SilentConsole())
    print(f"PSNR {measured['psnr_db']:.1f} dB, {measured['active_units']} of {measured['latent_numbers']} units active")
    print(f"mse {measured['mse']:.4f}; always answering the mean image would give {measured['mean_image_mse']:.4f}")


if __name__ == "__main__":
    main()
