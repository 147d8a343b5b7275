"""Draw SAR and optical pairs, spoil some, check them, divide the rest, and read one as a network would.

This is `rsforge data synth`, `audit` and `split` from Python, and the reading that trainings share. A few seconds.
"""

from __future__ import annotations

import json
from pathlib import Path

from rsforge.data.pairs.index import find_pairs
from rsforge.data.pairs.reading import find_radiometry, open_pair
from rsforge.data.splits.split_file import load_split
from rsforge.errors import RsforgeError
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.data import audit, split, synth
from rsforge.settings.data_pairs import AuditSettings, SplitSettings
from rsforge.settings.data_synth import SynthSettings

WORLD = Path("world")


def spoil() -> None:
    """What happens to data on their way: a file is lost, another is cut short."""
    optical = sorted(WORLD.glob("*/s2/*.png"))
    optical[0].unlink()
    optical[5].write_bytes(optical[5].read_bytes()[:2000])


def main() -> None:
    synth.draw(SynthSettings(kind="pairs", count=32, size=128, output_dir=WORLD, seed=0), SilentConsole())
    spoil()
    try:
        audit.judge(AuditSettings(data_dir=WORLD), SilentConsole())
    except RsforgeError as error:  # what the command prints, with exit code 3
        print(f"{error.code}: {error.what}\n  {error.found}\n  {error.fix}")
    report = json.loads((WORLD / "audit.json").read_text())
    print("counted:", report["counts"])

    # Patches of one scene stay together: the figures of the held-out side are then those of unseen places.
    print("divided:", split.divide(SplitSettings(data_dir=WORLD, by="scene", val=0.25), SilentConsole()))
    held_out = load_split(WORLD / "split.json").subsets["val"]

    index = find_pairs(WORLD)
    radiometry, why = find_radiometry(index)
    print("radiometry:", why)
    pair = next(pair for pair in index.pairs if pair.name in held_out)
    sar, optical, gaps = open_pair(pair, radiometry)
    print(pair.name, "SAR", sar.shape, "optical", optical.shape, f"in [{optical.min():.2f}, {optical.max():.2f}]")
    print("pixels without data:", dict(zip(("SAR", "optical"), gaps, strict=True)))


if __name__ == "__main__":
    main()
