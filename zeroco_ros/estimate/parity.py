"""The parity gate: an engine against PyTorch in float32 on stored pairs, with a verdict.

An engine that is wrong looks like one that is right until a robot follows it: fused half-precision
attention has been silently wrong on several devices. So every engine is compared before it is
trusted, from the tokens to the flow in pixels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zeroco_ros.croco.checkpoint import load_croco
from zeroco_ros.engine.backend import NonFiniteOutput
from zeroco_ros.engine.bundle import Manifest, sha256
from zeroco_ros.engine.graph_backend import GraphBackend
from zeroco_ros.engine.head_backend import HeadBackend
from zeroco_ros.engine.onnx_backend import OnnxBackend
from zeroco_ros.engine.torch_backend import TorchBackend
from zeroco_ros.errors import BackendError, ConfigError, WeightsError
from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.dense import DenseHead
from zeroco_ros.estimate.engines import OpenEngine, engine_of
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.frames import EncodedFrame
from zeroco_ros.heads.checkpoint import load_head
from zeroco_ros.heads.recurrent import RecurrentHead
from zeroco_ros.media.images import read_image
from zeroco_ros.weights import resolve

Image = npt.NDArray[np.uint8]
SURE = 0.5
PAIRS = Path(__file__).parent / "parity_pairs"


@dataclass(frozen=True)
class Limits:
    """What an engine may differ by. volume: largest difference of the cost volume, relative to its
    standard deviation; flow_median, flow_p99: pixels, where PyTorch's confidence is at least
    `SURE` (elsewhere two matches may be as good as each other, and rounding chooses);
    confidence_p99: of 1, over the same pixels.
    """

    volume: float
    flow_median: float
    flow_p99: float
    confidence_p99: float


# About ten times what `zeroco check` measured on an engine that is right, of the median flow more
# (docs/ENGINES.md).
LIMITS = {"fp32": Limits(2e-4, 1e-3, 0.5, 0.03)}


@dataclass(frozen=True)
class PairParity:
    """The differences on one pair, in the units of `Limits`; non_finite: values of the engine
    that are NaN or Inf.
    """

    name: str
    volume: float
    flow_median: float
    flow_p99: float
    confidence_p99: float
    non_finite: int

    def faults(self, limits: Limits) -> list[str]:
        """What is outside of the limits, in words."""
        found = [f"{self.non_finite} values that are not finite"] if self.non_finite else []
        for field in dataclasses.fields(Limits):
            value, limit = getattr(self, field.name), getattr(limits, field.name)
            if not value <= limit:  # True for NaN as well
                found.append(f"{field.name} {value:.3g} above {limit:g}")
        return found


@dataclass(frozen=True)
class Parity:
    """A verdict: the differences per pair, the limits, and every fault in words (none: passed)."""

    pairs: tuple[PairParity, ...]
    limits: Limits
    faults: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the engine may be trusted."""
        return not self.faults


def check_engine(
    folder: str | Path,
    *,
    provider: str = "cpu",
    threads: int | None = None,
    weights: str | Path | None = None,
    head: str | Path | None = None,
) -> Parity:
    """Compare an engine in ONNX Runtime with PyTorch in float32 on the stored pairs.

    weights, head: the model files that it was exported from, where they are not shipped ones.
    Raises BackendError for an engine that cannot be run, WeightsError where a model file is not
    the one that the engine was exported from.
    """
    return check_backend(OnnxBackend(folder, provider, threads), weights=weights, head=head)


def check_backend(
    backend: GraphBackend,
    *,
    weights: str | Path | None = None,
    head: str | Path | None = None,
) -> Parity:
    """Compare a bundle's backend that is already open; see `check_engine`."""
    config, limits = _exported_for(backend.manifest)
    engine = engine_of(backend, config)
    tested, trusted = engine.estimator(), reference(engine, weights, head)
    pairs = tuple(compare(name, tested, trusted, *pair) for name, *pair in stored_pairs())
    faults = tuple(f"{pair.name}: {fault}" for pair in pairs for fault in pair.faults(limits))
    return Parity(pairs, limits, faults)


def _exported_for(manifest: Manifest) -> tuple[FlowConfig, Limits]:
    """Return the configuration of an engine, and what it may differ by."""
    if manifest.precision not in LIMITS:
        raise BackendError(
            f"the engine is of precision {manifest.precision!r}: there are limits for "
            f"{', '.join(LIMITS)} only, so it cannot be checked"
        )
    try:
        return FlowConfig(**manifest.config), LIMITS[manifest.precision]
    except (TypeError, ConfigError) as error:
        raise BackendError(
            f"the engine was exported for a configuration of another version ({error}): "
            "export it again"
        ) from None


def reference(
    engine: OpenEngine, weights: str | Path | None, head: str | Path | None
) -> FlowEstimator:
    """The same estimator in PyTorch, float32, on the CPU; WeightsError as `check_engine`."""
    manifest = engine.backend.manifest
    loaded = load_croco(_model_file(weights, manifest.weights.name, manifest.weights.sha256))
    backend = TorchBackend(loaded.model, "cpu", "fp32")
    dense = None if manifest.head is None else _reference_head(manifest, head)
    return FlowEstimator.from_backend(backend, engine.config, metadata=loaded.metadata, head=dense)


def _reference_head(manifest: Manifest, file: str | Path | None) -> DenseHead:
    assert manifest.head is not None and manifest.head_size is not None
    path = _model_file(file, manifest.head.name, manifest.head.sha256)
    loaded = load_head(path)
    if not isinstance(loaded.head, RecurrentHead):
        raise WeightsError(f"'{path}' is a head of kind {loaded.kind!r}: recurrent is needed")
    runner = HeadBackend(loaded.head, "cpu", "fp32")
    return DenseHead(runner, loaded.metadata, manifest.head_size)


def _model_file(given: str | Path | None, name: str, expected: str) -> Path:
    path = Path(resolve(name.removesuffix(".safetensors") if given is None else given))
    found = sha256(path.read_bytes())
    if found != expected:
        raise WeightsError(
            f"'{path}' (sha256 {found[:12]}) is not the file that the engine was exported from "
            f"({name}, {expected[:12]}): give that one, or export the engine again"
        )
    return path


def stored_pairs() -> Iterator[tuple[str, Image, Image]]:
    """Name, target and source of every stored pair."""
    for first in sorted(PAIRS.glob("*_target.png")):
        name = first.name.removesuffix("_target.png")
        yield name, read_image(first), read_image(PAIRS / f"{name}_source.png")


def compare(
    name: str, tested: FlowEstimator, trusted: FlowEstimator, target: Image, source: Image
) -> PairParity:
    """The differences of two estimators on one pair."""
    ours, theirs = (
        (estimator.encode(target), estimator.encode(source)) for estimator in (tested, trusted)
    )
    volume, non_finite = _volume_difference(_volumes(tested, *ours), _volumes(trusted, *theirs))
    try:
        found = tested.match(*ours)
    except NonFiniteOutput:
        worst = float("inf")
        return PairParity(name, volume, worst, worst, worst, max(1, non_finite))
    expected = trusted.match(*theirs)
    sure = expected.confidence >= SURE
    gap = np.linalg.norm(found.flow - expected.flow, axis=-1)[sure]
    unsure = np.abs(found.confidence - expected.confidence)[sure]
    return PairParity(
        name,
        volume,
        float(np.median(gap)),
        float(np.percentile(gap, 99)),
        float(np.percentile(unsure, 99)),
        non_finite + int((~np.isfinite(found.flow)).sum()),
    )


def _volumes(estimator: FlowEstimator, target: EncodedFrame, source: EncodedFrame) -> Tensor:
    valid = target.letterbox.valid, source.letterbox.valid
    both = estimator.backend.volumes(
        target.encoding, source.encoding, valid, register_fix=estimator.register_fix
    )
    return torch.stack([both[0], both[1].transpose(1, 2)]).float().cpu()


def _volume_difference(found: Tensor, expected: Tensor) -> tuple[float, int]:
    """Largest relative difference, and how many values are not finite."""
    bad = int((~torch.isfinite(found)).sum())
    gap = (found - expected).abs().nan_to_num(float("inf")).max()
    return float(gap / expected.std()), bad
