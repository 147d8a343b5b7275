"""Checkpoints that explain themselves, notice every flipped bit, and cannot be half-written."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from pickle import UnpicklingError  # noqa: TID251 - the type that torch.load raises when it refuses a file
from typing import Any

import torch
from torch import Tensor, nn

from rsforge import __version__, durable
from rsforge.engine.checkpoint_archive import check_archive
from rsforge.engine.checkpoint_head import DIGESTS, find_mistyped
from rsforge.engine.checkpoint_tree import find_unusable
from rsforge.errors import RsforgeError
from rsforge.wording import count_noun

FORMAT = 1
_WORTH_A_THREAD = 1 << 20


def tensors(tree: Any, place: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor of nested dictionaries and lists with its path, in a fixed order."""
    if isinstance(tree, Tensor):
        yield place, tree
    elif isinstance(tree, Mapping):
        for key in sorted(tree, key=str):
            yield from tensors(tree[key], f"{place}/{key}")
    elif isinstance(tree, (list, tuple)):
        for i, item in enumerate(tree):
            yield from tensors(item, f"{place}/{i}")


def digest_tensor(tensor: Tensor) -> str:
    """SHA-256 of a tensor's type, shape and bytes."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    sha = hashlib.sha256(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
    sha.update(flat.view(torch.uint8).numpy().data)
    return sha.hexdigest()


def digest_weights(nets: Mapping[str, Any]) -> str:
    """One SHA-256 for all weights of a checkpoint's nets: the identity that partners are known by."""
    rows = [f"{place} {digest_tensor(t)}" for place, t in tensors(nets)]
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _plain(tree: Any) -> Any:
    """The tree without its tensors, in a form with one spelling."""
    if isinstance(tree, Tensor):
        return "tensor"
    if isinstance(tree, Mapping):
        return {repr(k): _plain(v) for k, v in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [_plain(v) for v in tree]
    return repr(tree)


def _digest_metadata(state: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(_plain(state), sort_keys=True).encode()).hexdigest()


def _digests(state: Mapping[str, Any]) -> dict[str, Any]:
    places = dict(tensors(state))
    # Large tensors are hashed beside each other; for small ones the threads cost more than the hashing.
    large = {place: tensor for place, tensor in places.items() if tensor.nbytes >= _WORTH_A_THREAD}
    hashes = {place: digest_tensor(tensor) for place, tensor in places.items() if place not in large}
    if large:
        with ThreadPoolExecutor() as pool:
            hashes |= zip(large, pool.map(digest_tensor, large.values()), strict=True)
    return {"metadata": _digest_metadata(state), "tensors": {place: hashes[place] for place in places}}


def _canonical(tree: Any) -> Any:
    """The tree on the CPU, in plain containers; equal trees then become equal bytes."""
    if isinstance(tree, Tensor):
        tensor = tree.detach().cpu()
        # Of an expanded view only its own numbers would be written, and fewer numbers than a shape are refused.
        is_expanded = tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes()
        return tensor.contiguous() if is_expanded else tensor
    if isinstance(tree, Mapping):
        return {_canonical(k): _canonical(v) for k, v in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [_canonical(v) for v in tree]
    # The archive writes a string object once and refers to it after: equal strings must be one object.
    return sys.intern(str(tree)) if isinstance(tree, str) else tree


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Commit ``state`` (nested dictionaries of tensors, numbers, strings) under ``path``, with its digests.

    All of it must be finite but what ``check_finite`` exempts: a poisoned checkpoint must not become the newest one.
    """
    body = _canonical({"format": FORMAT, "version": __version__, **state})
    check_finite(body, path)
    with durable.open_atomic(path) as file:
        torch.save(_canonical({**body, "digests": _digests(body)}), file)


def check_finite(state: Mapping[str, Any], path: Path) -> None:
    """RSF-T001 for weights, averages, moments, statistics or other tensors of ``state`` that are not finite.

    What a part says may be infinite or undefined is exempt: its ``state["nonfinite"]`` are places in the state.
    """
    exempt = tuple(state.get("nonfinite", ()))
    for place, tensor in tensors(state):
        if _is_inexact(tensor) and not place.startswith(exempt) and not bool(tensor.isfinite().all()):
            what = f"{place[1:]} of the run's state is not finite"
            raise RsforgeError("RSF-T001", what, where=str(path), kept="the checkpoints of before")


def _is_inexact(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def load(path: Path, *, kind: str = "", role: str = "checkpoint") -> dict[str, Any]:
    """Read and verify a checkpoint; ``role`` is what messages call it, ``kind`` what it must be ("" for any).

    Raises RSF-C001 (missing), C002 (damaged), C003 (foreign; nothing of it is executed), C004 (another kind),
    C005 (newer format). What it holds is typed and bounded: C003 says which entry is not.
    """
    return _validate(_read(path, role), path, kind, role)


def load_metadata(path: Path, *, kind: str = "", role: str = "checkpoint") -> dict[str, Any]:
    """Everything but the tensors of a checkpoint, which are not read from disk; raises as ``load`` does."""
    metadata: dict[str, Any] = _without_tensors(_validate(_read(path, role, mapped=True), path, kind, role))
    return metadata


def require(state: Mapping[str, Any], names: Iterable[str], *, where: str) -> None:
    """RSF-C003 unless a checkpoint has all these entries; those within another are written ``outer/inner``."""
    missing = [name for name in names if not _has(state, name.split("/"))]
    if missing:
        found = f"no {', '.join(missing)}"
        raise RsforgeError("RSF-C003", "the checkpoint does not describe a model", where=where, found=found)


def _has(tree: Any, path: Iterable[str]) -> bool:
    for key in path:
        if not isinstance(tree, Mapping) or key not in tree:
            return False
        tree = tree[key]
    return True


def _without_tensors(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {k: _without_tensors(v) for k, v in tree.items() if not isinstance(v, Tensor)}
    return tree


def _validate(state: dict[str, Any], path: Path, kind: str, role: str) -> dict[str, Any]:
    if state["format"] > FORMAT:
        raise RsforgeError("RSF-C005", f"{role} was written by rsforge {state.get('version')}", where=str(path))
    if reason := find_mistyped(state):
        raise RsforgeError("RSF-C003", f"{role} does not describe a model", where=str(path), found=f"it {reason}")
    if kind and state.get("kind") != kind:
        raise RsforgeError(
            "RSF-C004",
            f"{role} is of another kind",
            where=str(path),
            found=f"a checkpoint of kind {state.get('kind')}, where {kind} is needed",
        )
    return state


def _read(path: Path, role: str, *, mapped: bool = False) -> dict[str, Any]:
    """The file's state, verified; of a ``mapped`` one the tensors stay on disk and are not."""
    if not path.is_file():
        raise RsforgeError("RSF-C001", f"{role} not found: {path}", where=str(path), found=_neighbours(path))
    check_archive(path, role)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except UnpicklingError as error:
        raise _foreign(path, role, "objects that only pickle could make") from error
    except Exception as error:
        found = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise RsforgeError("RSF-C002", f"{role} is damaged", where=str(path), found=found) from error
    if not isinstance(state, dict) or DIGESTS(state) or "format" not in state or "digests" not in state:
        raise _foreign(path, role)
    if reason := find_unusable(state, path.stat().st_size):
        raise _foreign(path, role, reason)
    _verify(state, path, role, tensors=not mapped)
    return state


def _foreign(path: Path, role: str, found: str = "") -> RsforgeError:
    return RsforgeError("RSF-C003", f"{role} is not an rsforge checkpoint", where=str(path), found=found)


def _verify(state: dict[str, Any], path: Path, role: str, *, tensors: bool) -> None:
    claimed = state.pop("digests")
    actual = _digests(state) if tensors else {**claimed, "metadata": _digest_metadata(state)}
    if claimed == actual:
        return
    wrong = [p for p, d in actual["tensors"].items() if claimed.get("tensors", {}).get(p) != d] or ["its metadata"]
    raise RsforgeError(
        "RSF-C002",
        f"{role} is damaged: its digests do not match",
        where=str(path),
        found=", ".join(wrong[:3]),
    )


def _neighbours(path: Path) -> str:
    folder, place = (path, "a folder that holds") if path.is_dir() else (path.parent, "beside it:")
    found = sorted(p.name for p in folder.glob("*.pt"))[:5] if folder.is_dir() else []
    return f"{place} {', '.join(found)}" if found else "a folder" if path.is_dir() else ""


def load_weights(module: nn.Module, weights: Mapping[str, Tensor], *, where: str) -> None:
    """Strictly load ``weights`` into ``module``; RSF-C007 names the first differences."""
    check_weights(module, weights, where=where)
    module.load_state_dict(weights, strict=True)


def check_weights(module: nn.Module, weights: Mapping[str, Tensor], *, where: str) -> None:
    """RSF-C007 unless ``weights`` have the names and shapes of those of ``module``; it names the first differences."""
    own = module.state_dict()
    wrong = [f"{k} missing" for k in own.keys() - weights.keys()]
    wrong += [f"{k} unknown" for k in weights.keys() - own.keys()]
    wrong += [f"{k} {tuple(weights[k].shape)}" for k in own.keys() & weights.keys() if own[k].shape != weights[k].shape]
    if wrong:
        found = f"{count_noun(len(wrong), 'difference')}: {', '.join(sorted(wrong)[:3])}"
        raise RsforgeError("RSF-C007", "the weights do not fit the model", where=where, found=found)
