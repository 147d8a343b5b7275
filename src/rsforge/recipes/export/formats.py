"""File formats of exported networks: how a network is encoded, and how a file is loaded to be run."""

from __future__ import annotations

import importlib.util
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from rsforge.engine import checkpoint
from rsforge.models.catalogue import build
from rsforge.recipes.export.network import ExportedNetwork
from rsforge.recipes.export.torch_program import CapturedProgram, export_error, silence_torch

CARD = "rsforge.json"  # the name of the description inside a torch.export program

Run = Callable[..., Tensor]
"""Every input of a network to its output."""


class LoadedFile(NamedTuple):
    """A loaded file: a function that runs it, the runtime, whether that is slow, and the digest of its weights."""

    run: Run
    runtime: str
    slow: bool = False
    digest: str = ""


class EncodedFile(NamedTuple):
    """The contents of a file, facts about it, and whether it takes images of other sizes than those of the training."""

    contents: bytes
    facts: dict[str, Any]
    any_size: bool = True


class Format(NamedTuple):
    """A file format; its encoder gets a function that captures the program of the network on the first call."""

    suffix: str
    encode: Callable[[ExportedNetwork, Callable[[], CapturedProgram]], EncodedFile]
    load: Callable[[Path], LoadedFile]


def _encode_safetensors(subject: ExportedNetwork, _: Callable[[], CapturedProgram]) -> EncodedFile:
    tensors = {name: t.contiguous() for name, t in subject.network.state_dict().items()}
    contents = _sort_metadata(safetensors.torch.save(tensors, {"format": "pt", **subject.card}))
    return EncodedFile(contents, {"tensors": len(tensors)})


def _sort_metadata(contents: bytes) -> bytes:
    """The same file with its metadata sorted: the library writes them in random order."""
    end = 8 + int.from_bytes(contents[:8], "little")
    header = json.loads(contents[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + contents[end:]


def _load_safetensors(path: Path) -> LoadedFile:
    """The network of the architecture in the header, with the weights of the file."""
    with safetensors.safe_open(path, "pt") as file:
        network = build(json.loads(file.metadata()["architecture"]))
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    checkpoint.load_weights(network, weights, where=path.name)
    digest = checkpoint.digest_weights(weights)
    return LoadedFile(network.eval().requires_grad_(False), f"torch {torch.__version__}", digest=digest)


def _encode_program(subject: ExportedNetwork, captured: Callable[[], CapturedProgram]) -> EncodedFile:
    program, _, any_size = captured()
    buffer = io.BytesIO()
    with silence_torch():
        torch.export.save(program, buffer, extra_files={CARD: json.dumps(dict(subject.card))})
    return EncodedFile(buffer.getvalue(), {"torch": torch.__version__}, any_size)


def _load_program(path: Path) -> LoadedFile:
    with silence_torch():
        return LoadedFile(torch.export.load(path).module(), f"torch {torch.__version__}")


def _encode_onnx(subject: ExportedNetwork, captured: Callable[[], CapturedProgram]) -> EncodedFile:
    import onnx

    program, shapes, any_size = captured()
    try:
        with silence_torch():
            exported = torch.onnx.export(
                program,
                dynamo=True,
                dynamic_shapes=shapes,
                input_names=[one.name for one in subject.inputs],
                output_names=[subject.output],
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        reasons = str(error.__cause__ or error).strip().splitlines()
        raise export_error("ONNX cannot hold the network", reasons[0][:200]) from error
    model = cast(torch.onnx.ONNXProgram, exported).model_proto
    if any_size and subject.has_sides and subject.factor > 1:
        _refuse_other_sizes(model.graph, subject.factor)
    onnx.helper.set_model_props(model, dict(subject.card))
    onnx.checker.check_model(model, full_check=True)
    opset = next(own.version for own in model.opset_import if not own.domain)
    return EncodedFile(
        bytes(model.SerializeToString(deterministic=True)), {"opset": opset, "onnx": onnx.__version__}, any_size
    )


def _refuse_other_sizes(graph: Any, factor: int) -> None:
    """Make every runtime fail on heights and widths that are no multiples of ``factor``; ONNX has no assertions.

    The image is reshaped to blocks, with height and width divided by the factor and rounded down, and back. Both shapes
    have the same number of values only for multiples. Without this an image of one pixel more would come back smaller.
    """
    from onnx import TensorProto, helper

    given = graph.input[0]
    for node in graph.node:
        node.input[:] = ["checked" if name == given.name else name for name in node.input]
    added = [
        helper.make_node("Shape", [given.name], ["given_shape"]),
        helper.make_node("Div", ["given_shape", "divisor"], ["fewer"]),
        helper.make_node("Concat", ["fewer", "lost"], ["blocks_shape"], axis=0),
        helper.make_node("Reshape", [given.name, "blocks_shape"], ["blocks"], allowzero=1),
        helper.make_node("Reshape", ["blocks", "given_shape"], ["checked"], allowzero=1),
    ]
    nodes = [*added, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    for name, values in (("divisor", [1, 1, factor, factor]), ("lost", [factor**2])):
        graph.initializer.append(helper.make_tensor(name, TensorProto.INT64, [len(values)], values))
    # Without its type the number of channels would be unknown to the nodes that follow.
    graph.value_info.append(given)
    graph.value_info[-1].name = "checked"


def _load_onnx(path: Path) -> LoadedFile:
    """Run by ONNX Runtime where it is installed, else by the slow reference evaluator of the onnx package."""
    if importlib.util.find_spec("onnxruntime") is None:
        return _load_reference(path)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return LoadedFile(_wrap_numpy(session), f"onnxruntime {onnxruntime.__version__}")


def _load_reference(path: Path) -> LoadedFile:
    import onnx.reference

    evaluator = onnx.reference.ReferenceEvaluator(str(path))
    return LoadedFile(_wrap_numpy(evaluator), f"the reference evaluator of onnx {onnx.__version__}", slow=True)


def _wrap_numpy(session: Any) -> Run:
    """A function of tensors that runs a session of arrays, of ONNX Runtime or of the reference evaluator."""
    is_reference = hasattr(session, "input_names")
    names = session.input_names if is_reference else [one.name for one in session.get_inputs()]

    def run(*inputs: Tensor) -> Tensor:
        arrays = {name: x.numpy() for name, x in zip(names, inputs, strict=True)}
        return torch.from_numpy(session.run(None, arrays)[0])

    return run


FORMATS = {
    "safetensors": Format(".safetensors", _encode_safetensors, _load_safetensors),
    "torch": Format(".pt2", _encode_program, _load_program),
    "onnx": Format(".onnx", _encode_onnx, _load_onnx),
}
