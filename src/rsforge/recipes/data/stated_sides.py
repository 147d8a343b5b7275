"""The sides that a Parquet set or a tar states (train, val, test), kept as ``split.json`` beside the images."""

from __future__ import annotations

from rsforge.data.captions.image_folder import SPLIT, CaptionFolder, Summary
from rsforge.data.files.digests import file_digest
from rsforge.data.io.threads import map_in_threads
from rsforge.recipes.console import Console
from rsforge.wording import count_noun


def write_sides(folder: CaptionFolder, summary: Summary, console: Console) -> None:
    """Write the split that the source states, from the records of ``folder``, and say it; nothing for one side."""
    if not summary.sides:
        return
    # They open rasters and HDF5 too, which an extraction of one side need not load.
    from rsforge.data.splits.duplicates import data_digest, shorten_digests
    from rsforge.data.splits.split_file import SUBSETS, Split, write_split

    sides = {record["file"]: record.get("split", "") for record in folder.read_records() if "file" in record}
    names = sorted(sides)
    digests = dict(zip(names, map_in_threads(lambda name: (file_digest(folder.images / name),), names), strict=True))
    members = {subset: [name for name in names if sides[name] == subset] for subset in SUBSETS}
    left_out = [name for name in names if not sides[name]]
    facts = {
        "kind": "captions",
        "data_digest": data_digest(digests),
        "contents": shorten_digests(digests),
        "leak": False,
    }
    path = folder.images / SPLIT
    if path.exists():  # an earlier extraction's own was removed
        console.warn(f"{path} is left as it is: remove it, and `rsforge data split --by stated` keeps the stated sides")
        return
    write_split(path, Split("stated", 0, members, left_out, facts))
    counts = ", ".join(f"{len(own)} {subset}" for subset, own in members.items() if own)
    console.say(f"sides      {counts}, as the source states: kept in {path}")
    if left_out:
        console.warn(f"{count_noun(len(left_out), 'image')} of no stated side: in no subset of {SPLIT}")
