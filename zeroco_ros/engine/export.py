"""From a network to ONNX graphs at a fixed resolution, checked before they are written.

Positions and rotary tables become constants; sizes are fixed; there are no Range, If or Loop nodes
for a TensorRT parser to stumble over.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from zeroco_ros.engine.graphs import Graph
from zeroco_ros.errors import BackendError

OPSET = 18
FORBIDDEN = frozenset({"If", "Loop", "Scan", "Range", "Tile"})
MISSING = (
    "{name} cannot be imported: it is needed to export; install it with "
    "'python3 -m pip install \"zeroco_ros[onnx]\"'"
)


@dataclass(frozen=True)
class Exported:
    """content: the ONNX file; difference: largest absolute difference to PyTorch, relative to the
    largest value of that output, over all outputs, as ONNX Runtime computes it on the CPU.
    """

    content: bytes
    difference: float


def export_graph(name: str, graph: Graph) -> Exported:
    """Export one graph, check it with onnx.checker and run it once in ONNX Runtime.

    Raises BackendError where a library is missing or the graph is not what was asked for.
    """
    try:
        import onnx
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise BackendError(MISSING.format(name=error.name)) from None
    module = graph.module.eval()
    with _quiet():
        program = torch.onnx.export(
            module,
            graph.example,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(graph.signature.inputs),
            output_names=list(graph.signature.outputs),
            external_data=False,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    onnx.checker.check_model(model, full_check=True)
    found = FORBIDDEN & {node.op_type for node in model.graph.node}
    if found:
        raise BackendError(f"{name}: the exported graph has {', '.join(sorted(found))} nodes")
    content: bytes = model.SerializeToString()
    return Exported(content, difference(content, graph))


def difference(content: bytes, graph: Graph) -> float:
    """How far ONNX Runtime is from PyTorch on the graph's example; see `Exported`."""
    from zeroco_ros.engine.onnx_backend import open_session

    session = open_session(content, "cpu", threads=None)
    feed = {
        name: value.numpy()
        for name, value in zip(graph.signature.inputs, graph.example, strict=True)
    }
    with torch.inference_mode():
        expected = graph.module(*graph.example)
    wanted = (expected,) if isinstance(expected, Tensor) else expected
    worst = 0.0
    for value, reference in zip(session.run(None, feed), wanted, strict=True):
        gap = (torch.from_numpy(value) - reference).abs().max()
        worst = max(worst, float(gap / reference.abs().max().clamp(min=1e-6)))
    return worst


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's notes about libraries that play no part here."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(before)
