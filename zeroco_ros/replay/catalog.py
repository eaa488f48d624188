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

"""What every metric of a replay is: title, unit, direction and meaning, for reports and people."""

from __future__ import annotations

from zeroco_ros.replay.record import Metric


def _flow(title: str, unit: str, better: str | None, meaning: str, truth: bool = False) -> Metric:
    return Metric(title, unit, better, meaning, "flow", truth)


def _depth(title: str, unit: str, better: str | None, meaning: str, truth: bool = False) -> Metric:
    return Metric(title, unit, better, meaning, "depth", truth)


def _odometry(title: str, unit: str, better: str | None, meaning: str) -> Metric:
    return Metric(title, unit, better, meaning, "odometry", True)


def _stream(title: str, unit: str, better: str | None, meaning: str) -> Metric:
    return Metric(title, unit, better, meaning, "stream")


def _time(title: str, unit: str, better: str | None, meaning: str) -> Metric:
    return Metric(title, unit, better, meaning, "time")


# Those with a value per frame; the summary has their mean over frames.
PER_FRAME: dict[str, Metric] = {
    "epe": _flow("End-point error", "px", "lower", "mean distance to the true flow", True),
    "epe_median": _flow(
        "Median end-point error", "px", "lower", "median distance to the true flow", True
    ),
    "fl_all": _flow(
        "Outliers (Fl-all)",
        "ratio",
        "lower",
        "share of pixels wrong by more than 3 px and 5 % of the true motion (KITTI)",
        True,
    ),
    "pck_1": _flow("Within 1 px", "ratio", "higher", "share of pixels at most 1 px wrong", True),
    "pck_3": _flow("Within 3 px", "ratio", "higher", "share of pixels at most 3 px wrong", True),
    "pck_5": _flow("Within 5 px", "ratio", "higher", "share of pixels at most 5 px wrong", True),
    "true_motion": _flow("True motion", "px", None, "median length of the true flow", True),
    "flow_magnitude": _flow("Motion", "px", None, "median length of the flow"),
    "flow_coverage": _flow(
        "Coverage of flow", "ratio", "higher", "share of pixels whose match leads back"
    ),
    "confidence": _flow("Confidence", "ratio", None, "mean confidence of the flow"),
    "confidence_p10": _flow(
        "Confidence, 10th percentile", "ratio", None, "10th percentile of the confidence"
    ),
    "confidence_p90": _flow(
        "Confidence, 90th percentile", "ratio", None, "90th percentile of the confidence"
    ),
    "forward_backward_error": _flow(
        "Forward-backward error",
        "px",
        "lower",
        "median distance between a pixel and where its match's own match lies",
    ),
    "photometric_error": _flow(
        "Photometric residual",
        "gray levels",
        "lower",
        "mean gray difference of the two frames after undoing the flow, where it leads back",
    ),
    "brightness_change": _flow(
        "Gray change of the frames",
        "gray levels",
        None,
        "mean gray difference of the same pixels without undoing the flow",
    ),
    "flow_flicker": _flow(
        "Flicker of flow",
        "px",
        "lower",
        "median change of the flow from one pair to the next, followed along the motion; true "
        "acceleration is part of it",
    ),
    "abs_rel": _depth(
        "Relative depth error", "ratio", "lower", "mean |depth - truth| / truth", True
    ),
    "rmse": _depth("Depth error", "m", "lower", "root mean square of depth - truth", True),
    "delta_1": _depth(
        "Within a factor 1.25", "ratio", "higher", "share with max(d / t, t / d) < 1.25", True
    ),
    "depth_scale": _depth(
        "Scale of depth",
        "ratio",
        None,
        "median truth over median depth; relative depth is multiplied by it before it is scored",
        True,
    ),
    "truth_coverage": _depth(
        "Coverage of truth", "ratio", "higher", "share of pixels with truth that have depth", True
    ),
    "sigma_within_1": _depth(
        "Within one sigma", "ratio", None, "share with |error| < sigma; 0.683 if exact", True
    ),
    "depth_ause": _depth(
        "AUSE of sigma",
        "ratio",
        "lower",
        "area between the sparsification curve under sigma and the best one; 0 is perfect",
        True,
    ),
    "depth_coverage": _depth(
        "Coverage of depth", "ratio", "higher", "share of pixels that have a depth"
    ),
    "depth_median": _depth("Depth", "", None, "median depth, in its own unit (see scale)"),
    "relative_sigma": _depth("Relative sigma", "ratio", "lower", "median of sigma / depth"),
    "parallax": _depth("Parallax", "px", None, "largest parallax against a key frame"),
    "depth_flicker": _depth(
        "Flicker of depth",
        "ratio",
        "lower",
        "median relative change of depth against the frame before, moved by the camera's own pose",
    ),
    "depth_photometric_error": _depth(
        "Photometric residual of depth",
        "gray levels",
        "lower",
        "mean gray difference against the frame before, pulled over by depth and pose",
    ),
    "position_error": _odometry(
        "Position error", "m", "lower", "distance to the true position after alignment"
    ),
}
# Those of a whole bag.
SUMMARY: dict[str, Metric] = {
    "confidence_ece": _flow(
        "Calibration error of confidence",
        "ratio",
        "lower",
        "expected calibration error: how far confidence is from the share that is right",
        True,
    ),
    "confidence_brier": _flow(
        "Brier score of confidence", "ratio", "lower", "mean squared difference to right (1)", True
    ),
    "ate": _odometry(
        "Trajectory error (ATE)",
        "m",
        "lower",
        "root mean square position error after alignment, with scale where depth has none",
    ),
    "rpe_translation": _odometry(
        "Step error (RPE)", "m", "lower", "root mean square error of the motion between frames"
    ),
    "rpe_rotation": _odometry(
        "Step rotation error (RPE)", "deg", "lower", "root mean square error of the rotation"
    ),
    "trajectory_share": _odometry(
        "Frames in the trajectory",
        "ratio",
        "higher",
        "share of the frames with a true pose that the longest unbroken track has",
    ),
    "flow_answered": _stream(
        "Flow answers", "ratio", "higher", "share of the (left) images that have flow"
    ),
    "depth_answered": _stream(
        "Depth answers", "ratio", "higher", "share of the images that have depth"
    ),
    "lost_frames": _stream("Lost frames", "ratio", "lower", "share of results in state lost"),
}
TIMES: dict[str, Metric] = {
    "latency_ms": _time(
        "Latency", "ms", "lower", "from taking a frame to having written its results"
    ),
    "model_ms": _time("Estimators", "ms", "lower", "time of the estimators alone per frame"),
    "fps": _time("Frames per second", "1/s", "higher", "by the clock, all work counted"),
    "model_fps": _time(
        "Estimators' frames per second", "1/s", "higher", "frames over the estimators' own time"
    ),
}
ALL = {**PER_FRAME, **SUMMARY}
# Metrics whose worst frames are shown, the first that a run has of each group.
WORST = (
    ("epe",),
    ("abs_rel",),
    ("forward_backward_error",),
    ("photometric_error",),
    ("flow_flicker",),
    ("depth_flicker", "relative_sigma"),
)
