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

"""Errors of a depth image, and of its uncertainty, against measured depth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from zeroco_ros.evaluation.metrics import sparsification

Float = npt.NDArray[np.floating]
Double = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

NEAR, FAR = 1e-3, 80.0  # meters; the KITTI Eigen protocol's limits
DELTA = 1.25
QUANTILES = (0.5, 0.683, 0.9, 0.954)  # of |error| / sigma
NORMAL = (0.6745, 1.0, 1.645, 2.0)  # what they are for errors that sigma describes exactly


@dataclass(frozen=True)
class DepthErrors:
    """
    The field's usual numbers (Eigen et al., NIPS 2014), over `pixels` pixels.

    abs_rel: mean |d - t| / t; sq_rel: mean (d - t)^2 / t, meters; rmse: meters; rmse_log: of the
    natural logarithms; delta: shares with max(d / t, t / d) below 1.25, 1.25^2 and 1.25^3.
    """

    pixels: int
    abs_rel: float
    sq_rel: float
    rmse: float
    rmse_log: float
    delta: tuple[float, float, float]


@dataclass(frozen=True)
class SigmaScore:
    """
    How well the standard deviations describe the errors, all by the depth as it was scored.

    ause: area between the sparsification curve of |error| under sigma and the oracle's, relative
    to the mean error; ause_relative: the same for |error| / truth under sigma / depth. quantiles:
    of |error| / sigma at `QUANTILES`, to be compared with `NORMAL`. within: shares of pixels whose
    error is below 1, 2 and 3 sigma (0.683, 0.954, 0.997 for normal errors).
    """

    ause: float
    ause_relative: float
    quantiles: tuple[float, float, float, float]
    within: tuple[float, float, float]


@dataclass(frozen=True)
class FrameScore:
    """
    One depth image against the truth.

    frame: its name. truth: pixels with truth; known: of these, how many have a depth; None where
    nothing is known. scale: median truth / median depth. scaled: errors after that, unscaled:
    errors of the depth as it is. half, half_unscaled: the same on the half of the known pixels
    with the smaller sigma; half_relative: scaled, on the half with the smaller sigma / depth.
    sigma, sigma_unscaled: the uncertainty's, scaled along with the depth, and as it is.
    """

    frame: str
    truth: int
    known: int
    scale: float | None = None
    scaled: DepthErrors | None = None
    unscaled: DepthErrors | None = None
    half: DepthErrors | None = None
    half_unscaled: DepthErrors | None = None
    half_relative: DepthErrors | None = None
    sigma: SigmaScore | None = None
    sigma_unscaled: SigmaScore | None = None

    @property
    def coverage(self) -> float:
        """Share of the pixels with truth that have a depth."""
        return self.known / self.truth if self.truth else 0.0


def depth_errors(depth: Float, truth: Float) -> DepthErrors:
    """
    Errors of depths against truths, arrays of one shape, all positive and finite.

    Depths are clipped to [`NEAR`, `FAR`] as the KITTI protocol does. Raises ValueError for none.
    """
    if depth.size == 0:
        raise ValueError("no pixel to score on")
    d = np.clip(np.asarray(depth, dtype=np.float64), NEAR, FAR)
    t = np.asarray(truth, dtype=np.float64)
    ratio = np.maximum(d / t, t / d)
    first, second, third = (float((ratio < DELTA**power).mean()) for power in (1, 2, 3))
    return DepthErrors(
        pixels=int(d.size),
        abs_rel=float((np.abs(d - t) / t).mean()),
        sq_rel=float(((d - t) ** 2 / t).mean()),
        rmse=float(np.sqrt(((d - t) ** 2).mean())),
        rmse_log=float(np.sqrt((np.log(d / t) ** 2).mean())),
        delta=(first, second, third),
    )


def known_truth(truth: Float) -> Bool:
    """Where a truth (H, W) may be scored: finite and between `NEAR` and `FAR`."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.isfinite(truth) & (truth > NEAR) & (truth < FAR))


def score_frame(frame: str, depth: Float, truth: Float, sigma: Float | None = None) -> FrameScore:
    """
    Score a depth image (H, W), NaN where unknown, against one with truth, NaN where none.

    sigma: (H, W), one standard deviation in the depth's unit; pixels without one count as the
    least certain. Raises ValueError if the shapes differ.
    """
    if depth.shape != truth.shape or (sigma is not None and sigma.shape != depth.shape):
        shapes = [depth.shape, truth.shape, *([] if sigma is None else [sigma.shape])]
        raise ValueError(f"depth, truth and sigma must have one shape, got {shapes}")
    wanted = known_truth(truth)
    with np.errstate(invalid="ignore"):
        known = wanted & np.isfinite(depth) & (depth > 0)
    total, count = int(wanted.sum()), int(known.sum())
    if count == 0:
        return FrameScore(frame, total, 0)
    d, t = np.asarray(depth[known], np.float64), np.asarray(truth[known], np.float64)
    scale = float(np.median(t) / np.median(d))
    score = FrameScore(frame, total, count, scale, depth_errors(scale * d, t), depth_errors(d, t))
    if sigma is None:
        return score
    s = np.asarray(sigma[known], np.float64)
    sure, relatively = _surer_half(s), _surer_half(s / d)
    return replace(
        score,
        half=depth_errors(scale * d[sure], t[sure]),
        half_unscaled=depth_errors(d[sure], t[sure]),
        half_relative=depth_errors(scale * d[relatively], t[relatively]),
        sigma=score_sigma(scale * d, t, scale * s),
        sigma_unscaled=score_sigma(d, t, s),
    )


def score_sigma(depth: Double, truth: Double, sigma: Double) -> SigmaScore:
    """
    Sparsification and calibration of standard deviations (N,) for depths (N,) and truths (N,).

    A sigma that is not finite or not positive is one that says nothing: infinite.
    """
    error = np.abs(depth - truth)
    with np.errstate(invalid="ignore"):
        doubt = np.where(np.isfinite(sigma) & (sigma > 0), sigma, np.inf)
    ratio = error / doubt
    quantiles = np.quantile(ratio, QUANTILES)
    one, two, three = (float((ratio < limit).mean()) for limit in (1, 2, 3))
    return SigmaScore(
        ause=sparsification(error, doubt).ause,
        ause_relative=sparsification(error / truth, doubt / depth).ause,
        quantiles=(
            float(quantiles[0]),
            float(quantiles[1]),
            float(quantiles[2]),
            float(quantiles[3]),
        ),
        within=(one, two, three),
    )


def _surer_half(doubt: Double) -> npt.NDArray[np.intp]:
    """Return the indices of the half (rounded up) with the least doubt; NaN is the largest."""
    return np.argsort(doubt, kind="stable")[: (doubt.size + 1) // 2]
