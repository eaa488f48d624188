# Copyright 2026 zeroco_ros developers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""
The parity gate: a backend against PyTorch in float32 on stored pairs, with a verdict.

An engine that is wrong looks like one that is right until a robot follows it: fused half-precision
attention has been silently wrong on several devices. So every engine is compared before it is
trusted, from the tokens to the flow in pixels, and PyTorch's own half precision can be too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
import copy
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.croco.checkpoint import load_croco
from zeroco_ros.engine.bundle import Manifest
from zeroco_ros.engine.graph_backend import GraphBackend
from zeroco_ros.engine.onnx_backend import OnnxBackend
from zeroco_ros.engine.torch_backend import TorchBackend
from zeroco_ros.errors import BackendError, ConfigError
from zeroco_ros.estimate.coarse import resolved_beta
from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.engines import engine_of
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.learned_depth import LearnedDepth
from zeroco_ros.estimate.parity_pair import compare, PairParity, Tested
from zeroco_ros.estimate.parity_reference import reference
from zeroco_ros.matching.flow import fit_letterbox
from zeroco_ros.media.images import read_image
from zeroco_ros.weights import resolve

Image = npt.NDArray[np.uint8]
PAIRS = Path(__file__).parent / "parity_pairs"


@dataclass(frozen=True)
class Limits:
    """What a backend may differ by, see `PairParity`."""

    volume: float
    volume_rms: float
    flow_median: float
    flow_p99: float
    confidence_p99: float
    depth_p99: float


# At least twice (float32: ten times) what was measured on backends that are right, with a head and
# without, and more for a 99th percentile, where one match of two that tie may be the other. In
# float16 three thousandths of the volume's spread are below what a layer that is 2 % too large
# does to it. docs/ENGINES.md has the measurements and their command.
LIMITS = {
    "fp32": Limits(1e-4, 2e-5, 5e-4, 0.05, 0.01, 1e-3),
    "fp16": Limits(0.02, 3e-3, 0.03, 0.5, 0.03, 5e-3),
    "bf16": Limits(0.2, 0.035, 0.3, 1.5, 0.06, 0.03),
    "int8": Limits(0.2, 0.035, 0.3, 3.0, 0.1, 0.03),
}
HARD = 0.01  # temperatures below pick one token: then a tie moves a match by up to a token
TOKEN = 24.0  # pixels of the stored pictures in a network input of 224


@dataclass(frozen=True)
class Parity:
    """
    A verdict.

    pairs: the differences on each; limits: for this precision; faults: what is outside of them, in
    words, none if it passed; what: the backend that was compared, such as "onnx cpu fp16";
    unchecked: parts that were not compared, and why, in words.
    """

    pairs: tuple[PairParity, ...]
    limits: Limits
    faults: tuple[str, ...]
    what: str = ""
    unchecked: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether it may be trusted."""
        return not self.faults


def check_engine(
    folder: str | Path,
    *,
    provider: str = "cpu",
    threads: int | None = None,
    weights: str | Path | None = None,
    head: str | Path | None = None,
    depth: str | Path | None = None,
) -> Parity:
    """
    Compare an engine in ONNX Runtime with PyTorch in float32 on the stored pairs.

    weights, head, depth: the model files that it was exported from, where they are not shipped
    ones; without the depth head's file the rest is compared. Raises BackendError for an engine
    that cannot be run, WeightsError where a model file is not the one that it was exported from.
    """
    backend = OnnxBackend(folder, provider, threads)
    return check_backend(backend, weights=weights, head=head, depth=depth)


def check_backend(
    backend: GraphBackend,
    *,
    weights: str | Path | None = None,
    head: str | Path | None = None,
    depth: str | Path | None = None,
) -> Parity:
    """Compare a bundle's backend that is already open; see `check_engine`."""
    manifest = backend.manifest
    config = network_alone(_exported_for(manifest))
    limits = limits_of(manifest.precision, config, manifest.weights.metadata)
    engine = engine_of(backend, config)
    trusted = reference(engine, weights, head, depth)
    learned = None if trusted.depth is None else LearnedDepth(backend, None)
    tested = Tested(engine.estimator(), learned)
    parity = judge(tested, trusted, limits, backend_words(backend), _fitting(manifest))
    if manifest.depth is None or learned is not None:
        return parity
    missing = f"the depth head: '{manifest.depth.name}' is not a shipped file and was not given"
    return dataclasses.replace(parity, unchecked=(missing,))


def check_torch(
    config: FlowConfig,
    precision: str = "auto",
    *,
    device: str = "auto",
    threads: int | None = None,
    weights: str | Path = "default",
    depth: str | Path | None = None,
) -> Parity:
    """
    Compare PyTorch in a precision with PyTorch in float32 on the CPU, on the stored pairs.

    depth: a depth head that is compared too. Raises ConfigError or BackendError for a precision or
    a device that is not there, WeightsError for an unreadable file.
    """
    loaded = load_croco(resolve(weights))
    both = []
    for place, arithmetic in ((device, precision), ("cpu", "fp32")):
        network = copy.deepcopy(loaded.model)  # the two may be on different devices
        backend = TorchBackend(network, place, arithmetic, threads)
        flow = FlowEstimator.from_backend(backend, network_alone(config), metadata=loaded.metadata)
        both.append(Tested(flow, None if depth is None else LearnedDepth(backend, depth)))
    running = both[0].flow.backend
    limits = limits_of(running.precision, config, loaded.metadata)
    return judge(both[0], both[1], limits, backend_words(running))


def judge(
    tested: Tested,
    trusted: Tested,
    limits: Limits,
    what: str,
    fits: Callable[[Image], Image] = lambda image: image,
) -> Parity:
    """
    Compare on every stored pair and hold it against the limits.

    fits: makes a stored picture one that both can see.
    """
    pairs = tuple(
        compare(name, tested, trusted, fits(target), fits(source))
        for name, target, source in stored_pairs()
    )
    faults = tuple(
        f"{pair.name}: {fault}"
        for pair in pairs
        for fault in pair.faults(dataclasses.asdict(limits))
    )
    return Parity(pairs, limits, faults, what)


def limits_of(
    precision: str, config: FlowConfig | None = None, metadata: Mapping[str, Any] | None = None
) -> Limits:
    """
    Return what a backend of this precision may differ by in this configuration.

    metadata: of the weights. Raises BackendError for a precision of which nothing is known.
    """
    if precision not in LIMITS:
        raise BackendError(
            f"precision {precision!r}: there are limits for {', '.join(LIMITS)} only, so it "
            "cannot be checked"
        )
    limits = LIMITS[precision]
    if config is None or config.head != "none":
        return limits
    beta = resolved_beta(config, metadata or {})
    if config.readout == "hard" or (beta is not None and beta < HARD):
        return dataclasses.replace(limits, flow_p99=TOKEN, confidence_p99=0.7)
    return limits


def backend_words(backend: object) -> str:
    """Say what runs: name, device and precision."""
    return " ".join(str(getattr(backend, part)) for part in ("name", "device", "precision"))


def network_alone(config: FlowConfig) -> FlowConfig:
    """
    Return a configuration of the network only.

    DIS refinement is the same code beside every backend, and it turns a rounding error into
    pixels; zooming and turning run the same graphs again.
    """
    return dataclasses.replace(config, refine="none", zoom=(), alignment=False)


def _exported_for(manifest: Manifest) -> FlowConfig:
    """Return the configuration of an engine."""
    try:
        return FlowConfig(**manifest.config)
    except (TypeError, ConfigError) as error:
        raise BackendError(
            f"the engine was exported for a configuration of another version ({error}): "
            "export it again"
        ) from None


def _fitting(manifest: Manifest) -> Callable[[Image], Image]:
    """Return what makes stored pictures fill the tokens that heads of a fixed size expect."""
    height, width = manifest.image

    def fit(image: Image) -> Image:
        box = fit_letterbox(
            (image.shape[0], image.shape[1]),
            size=manifest.model_size,
            keep_aspect=manifest.config.get("resize") == "letterbox",
        )
        if box.valid == manifest.valid:
            return image
        return np.asarray(cv2.resize(image, (width, height)), dtype=np.uint8)

    return fit


def stored_pairs() -> Iterator[tuple[str, Image, Image]]:
    """Yield name, target and source of every stored pair."""
    for first in sorted(PAIRS.glob("*_target.png")):
        name = first.name.removesuffix("_target.png")
        yield name, read_image(first), read_image(PAIRS / f"{name}_source.png")
