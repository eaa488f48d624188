"""What can be compared: this package's presets and the classical flow of OpenCV."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ConfigError
from zeroco_ros.estimate.config import PRESETS, preset
from zeroco_ros.media.images import RGB

Float = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Estimate:
    """flow (H, W, 2) pixels, and uncertainties (H, W) by name, where the method has them."""

    flow: Float
    uncertainty: dict[str, Float]


@dataclass(frozen=True)
class Method:
    """A name, what it is, and target and source (H, W, 3) uint8 RGB to an estimate."""

    name: str
    about: str
    estimate: Callable[[RGB, RGB], Estimate]


OURS = (*PRESETS, "coarse")
NAMES = (*OURS, "dis", "farneback", "zero")


def make_method(
    name: str,
    weights: str | Path = "default",
    device: str = "auto",
    threads: int | None = None,
) -> Method:
    """Build a method by name: a preset, coarse (default without refinement), dis, farneback, zero.

    weights, device and threads are for this package's own. Raises ConfigError for another name,
    WeightsError and BackendError as FlowEstimator does.
    """
    if name in OURS:
        return _ours(name, weights, device, threads)
    if name == "dis":
        return Method(name, "OpenCV DIS, medium preset, full resolution", _dis)
    if name == "farneback":
        about = "OpenCV Farneback, 5 levels, window 15, 3 iterations, polynomials over 7 px"
        return Method(name, about, _farneback)
    if name == "zero":
        return Method(name, "no motion at all", _zero)
    raise ConfigError(f"unknown method {name!r}: use some of {', '.join(NAMES)}")


def _ours(name: str, weights: str | Path, device: str, threads: int | None) -> Method:
    from zeroco_ros.estimate.flow import FlowEstimator

    config = replace(preset("default"), refine="none") if name == "coarse" else preset(name)
    estimator = FlowEstimator(config, weights=weights, device=device, threads=threads)

    def estimate(target: RGB, source: RGB) -> Estimate:
        result = estimator.estimate(target, source)
        doubts = {"confidence": -result.confidence, "fb_error": result.forward_backward_error}
        return Estimate(result.flow, doubts)

    about = "default without refinement" if name == "coarse" else f"preset {name}"
    return Method(name, f"this package, {about}", estimate)


def _dis(target: RGB, source: RGB) -> Estimate:
    solver = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    # none, not zeros: OpenCV takes another way when it is given a field, even an empty one
    flow = solver.calc(_gray(target), _gray(source), None)  # type: ignore[call-overload]
    return Estimate(np.asarray(flow, np.float32), {})


def _farneback(target: RGB, source: RGB) -> Estimate:
    height, width = target.shape[:2]
    flow = cv2.calcOpticalFlowFarneback(
        prev=_gray(target),
        next=_gray(source),
        flow=np.zeros((height, width, 2), dtype=np.float32),
        pyr_scale=0.5,
        levels=5,
        winsize=15,
        iterations=3,
        poly_n=7,
        poly_sigma=1.5,
        flags=0,
    )
    return Estimate(np.asarray(flow, np.float32), {})


def _zero(target: RGB, source: RGB) -> Estimate:
    return Estimate(np.zeros((*target.shape[:2], 2), dtype=np.float32), {})


def _gray(image: RGB) -> RGB:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
