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

"""What came of `zeroco depth`, as numbers and as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
import json
from pathlib import Path
from typing import Any, TYPE_CHECKING

import numpy as np

from zeroco_ros.media.atomic import atomic_write

if TYPE_CHECKING:
    from zeroco_ros.commands.depth_folder import DepthFolder
    from zeroco_ros.estimate.results import DepthResult

_MEANINGS = {
    "static": "the camera stands still",
    "rotation": "the camera only turns, which shows no depth",
    "lost": "the frames do not overlap",
    "starting": "there are too few frames",
}


@dataclass
class DepthSummary:
    """
    A run.

    recording, camera, poses: where from, in words. network: what ran it, as diagnostics say it.
    size: width and height in pixels.

    states: frames by what was said about them; coverage: share of pixels with depth, relative:
    median of sigma / depth, seconds: of computing, each one value per frame with depth.
    """

    folder: str
    recording: str
    camera: str
    poses: str
    preset: str
    mode: str
    weights: str
    network: Mapping[str, str]
    size: tuple[int, int]
    frames: int = 0
    posed: int = 0
    keyframes: int = 0
    states: Counter[str] = field(default_factory=Counter)
    scales: Counter[str] = field(default_factory=Counter)
    coverage: list[float] = field(default_factory=list)
    relative: list[float] = field(default_factory=list)
    median_depth: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def count(self, result: DepthResult | None, posed: bool, seconds: float) -> None:
        """One frame that was used; None: nothing could be said about it yet."""
        self.frames += 1
        self.posed += posed
        self.states["starting" if result is None else result.state] += 1
        if result is None:
            return
        self.seconds.append(seconds)
        self.keyframes += result.keyframe
        known = np.isfinite(result.depth)
        if known.any():
            self.scales[result.scale] += 1
            self.coverage.append(float(known.mean()))
            self.relative.append(float(np.median(result.sigma[known] / result.depth[known])))
            self.median_depth.append(float(np.median(result.depth[known])))

    def finish(self, folder: DepthFolder, warnings: list[str]) -> None:
        """Write what needs all frames, and summary.json."""
        self.facts = folder.finish()
        self.warnings = list(warnings)
        if folder.beyond:
            self.warnings.append(
                f"{folder.beyond} pixels are farther than 65.5 m, which 16 bits of millimeters "
                "cannot say: they are 0 in the pictures; --npy keeps them"
            )
        if self.facts["worlds"] > 1:
            self.warnings.append(
                f"the frames are in {self.facts['worlds']} worlds of their own unit or origin, "
                "because tracking was lost and began anew or some have no pose: cloud and "
                f"trajectory tell one of them, {self.facts['frames_told']} of "
                f"{self.facts['frames_placed']} frames"
            )
        self.written = [*folder.written, "summary.json"]
        with atomic_write(Path(self.folder) / "summary.json") as handle:
            handle.write((json.dumps(self.as_json(), indent=2) + "\n").encode())

    @property
    def scale(self) -> str | None:
        """Return "metric", "relative", or None without any depth."""
        return next((name for name in ("metric", "relative") if self.scales[name]), None)

    @property
    def failure(self) -> str | None:
        """Why there is no depth, in one line; None if there is."""
        if self.scales:
            return None
        why = self.states.most_common(1)[0][0]
        return f"no frame has depth: {_MEANINGS.get(why, why)}"

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            "finished": True,
            "recording": self.recording,
            "camera": self.camera,
            "poses": self.poses,
            "preset": self.preset,
            "mode": self.mode,
            "weights": self.weights,
            "network": dict(self.network),
            "width": self.size[0],
            "height": self.size[1],
            "frames": self.frames,
            "frames_with_given_pose": self.posed,
            "frames_with_depth": sum(self.scales.values()),
            "key_frames": self.keyframes,
            "states": dict(self.states),
            "scale": self.scale,
            "coverage_mean": _mean(self.coverage),
            "sigma_over_depth_median": _median(self.relative),
            "depth_median": _median(self.median_depth),
            "seconds_per_frame_median": _median(self.seconds),
            **self.facts,
            "written": self.written,
            "warnings": self.warnings,
        }

    def as_text(self) -> str:
        """Return the summary for a terminal."""
        width, height = self.size
        states = ", ".join(f"{count} {name}" for name, count in self.states.most_common())
        rows = [
            ("input", f"{self.recording}; {width}x{height}"),
            ("camera", self.camera),
            ("poses", f"{self.poses}; {self.posed} of {self.frames} frames have one"),
            ("estimate", f"preset {self.preset}, mode {self.mode}, weights {self.weights}"),
            ("network", self._network_text()),
            ("frames", f"{self.frames}: {states}; {self.keyframes} key frames"),
        ]
        if self.scale:
            rows += [("depth", self._depth_text()), ("cloud", self._cloud_text())]
        rows.append(("written", f"{self.folder}: {', '.join(self.written)}"))
        return "\n".join(f"{name:<9} {text}".rstrip() for name, text in rows)

    def _network_text(self) -> str:
        facts = self.network
        engine = f", engine {facts['engine']}" if facts["engine"] else ""
        return f"{facts['backend reason']}; {facts['device']}, {facts['precision']}{engine}"

    def _depth_text(self) -> str:
        unit = "m" if self.scale == "metric" else "in a relative scale"
        return (
            f"median {_median(self.median_depth):.2f} {unit}, on "
            f"{100 * float(np.mean(self.coverage)):.1f} % of the pixels, sigma "
            f"{100 * float(np.median(self.relative)):.1f} % of the depth (median); "
            f"{float(np.median(self.seconds)):.2f} s a frame"
        )

    def _cloud_text(self) -> str:
        if not self.facts.get("cloud_points"):
            return "none: no key frame has sure depth (--max-sigma)"
        return (
            f"{self.facts['cloud_points']} points of {self.facts['cloud_views']} key frames, one "
            f"per {self.facts['cloud_voxel']:.3g}{' m' if self.scale == 'metric' else ''} cube"
        )


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _median(values: list[float]) -> float | None:
    return float(np.median(values)) if values else None
