"""Files of weights that other programs wrote, opened so that one tensor at a time is read."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rsforge.errors import RsforgeError, from_os_error
from rsforge.models.pretrained.json_files import AGAIN, read_object

Shape = tuple[int, ...]
CONVERT = "convert it to safetensors with the program that it is from"
# The key of a table in Stable Diffusion's own .ckpt files; a name is all that is needed of it.
_LIGHTNING = "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint"


@dataclass(frozen=True)
class TensorFile:
    """Tensors by name, of one file or of several: their ``shapes``, and ``read``, which gives one of them.

    ``facts`` is what the file says beside them. What ``read`` gives may share the file's memory: copy what is kept.
    """

    where: str
    shapes: Mapping[str, Shape]
    read: Callable[[str], Tensor]
    facts: Mapping[str, Any] = field(default_factory=dict)


def check_file(path: Path, name: str) -> None:
    """RSF-C001 where ``path``, the file of ``name``, is not there or is no regular file."""
    if not path.is_file():
        found = "not a regular file" if path.exists() else "no such file"
        raise RsforgeError("RSF-C001", f"{name} not found", where=str(path), found=found, fix="name a complete model")


def open_safetensors(path: Path) -> TensorFile:
    """The tensors of a ``.safetensors`` file. RSF-C001 where it is missing, RSF-C002 where it is damaged."""
    import safetensors

    check_file(path, "weights")
    try:
        file: Any = safetensors.safe_open(path, "pt")
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - no mapping
    except OSError as error:
        raise from_os_error(error) from error
    except safetensors.SafetensorError as error:
        what = "the weights are damaged or no safetensors"
        raise RsforgeError("RSF-C002", what, where=str(path), found=str(error)[:160], fix=AGAIN) from error
    return TensorFile(str(path), shapes, file.get_tensor, file.metadata() or {})


def open_pickled(path: Path) -> TensorFile:
    """The tensors of a file of ``torch.save``, read by ``weights_only``: nothing in it is executed.

    Where it has a ``state_dict``, as ``.ckpt`` files do, the tensors are those, and the numbers and strings beside them
    are the facts. RSF-C001 where it is missing, RSF-C003 for anything but tensors.
    """
    check_file(path, "weights")
    contents = _load_plain(path)
    if not isinstance(contents, Mapping):
        raise _foreign(path, type(contents).__name__)
    state = contents.get("state_dict", contents)
    if not isinstance(state, Mapping) or not state:
        raise _foreign(path, "no dictionary of weights")
    tensors = {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
    facts = {key: value for key, value in contents.items() if isinstance(value, int | str)}
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    return TensorFile(str(path), shapes, tensors.__getitem__, facts)


def _load_plain(path: Path) -> Any:
    stand_in = type("ModelCheckpoint", (), {})
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals([(stand_in, _LIGHTNING)]):
            warnings.simplefilter("ignore")  # on the age of the format: it is read, or refused in a sentence
            # Only the archives of today can be mapped into memory; older files are read whole.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except OSError as error:
        raise from_os_error(error) from error
    except Exception as error:  # foreign and truncated bytes fail in many ways, none of them worth telling
        raise _foreign(path, type(error).__name__) from error


def open_sharded(index: Path, open_shard: Callable[[Path], TensorFile]) -> TensorFile:
    """The tensors of several files in one folder, which ``index`` lists as the Hugging Face layout has it.

    RSF-C001 for a missing file, RSF-C003 for an index that is none or that leads out of its folder, RSF-C007 for a
    tensor that is not where the index says.
    """
    places = read_object(index).get("weight_map")
    if not isinstance(places, dict) or not places or not all(_is_plain(name) for name in places.values()):
        raise _foreign(index, "no weight_map of files beside it")
    shards = {name: open_shard(index.with_name(name)) for name in sorted(set(places.values()))}
    absent = [name for name, place in places.items() if name not in shards[place].shapes]
    if absent:
        what = "a file lacks weights that the index says it has"
        raise RsforgeError("RSF-C007", what, where=str(index), found=f"{absent[0]} is not in {places[absent[0]]}")
    shapes = {name: shards[place].shapes[name] for name, place in places.items()}
    return TensorFile(str(index), shapes, lambda name: shards[places[name]].read(name))


def _is_plain(name: object) -> bool:
    return isinstance(name, str) and Path(name).name == name


def _foreign(path: Path, found: str) -> RsforgeError:
    return RsforgeError("RSF-C003", "not a plain dictionary of weights", where=str(path), found=found, fix=CONVERT)
