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

"""What the demo found, as numbers and as text."""

from __future__ import annotations

from dataclasses import asdict, dataclass
import json
from pathlib import Path
from typing import Any

from zeroco_ros.demo.depth_scoring import DepthFacts, DepthScore
from zeroco_ros.demo.node_run import NodeRun, Row
from zeroco_ros.evaluation.bag_camera import CameraSource
from zeroco_ros.evaluation.metrics import SetScore
from zeroco_ros.media.atomic import atomic_write


@dataclass(frozen=True)
class FlowFound:
    """
    The flow of a run.

    scores: by method, against `truth` (in words); brightness: by method, gray levels, where there
    is no truth.
    """

    run: NodeRun
    truth: str | None
    scores: dict[str, SetScore]
    brightness: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        """As JSON values; accuracy in pixels."""
        return {
            **self.run.as_json(),
            "truth": self.truth,
            "accuracy": {name: _score_json(score) for name, score in self.scores.items()},
            "brightness_change": self.brightness,
        }

    def rows(self) -> list[Row]:
        """(name, text) for a terminal."""
        accuracy = self._accuracy_rows() if self.scores else self._brightness_rows()
        return [*self.run.rows(), *accuracy, *self.run.complaint_rows()]

    def _accuracy_rows(self) -> list[Row]:
        first = next(iter(self.scores.values()))
        rows = [
            (
                "accuracy",
                f"against {self.truth}: {first.pairs} pairs, median motion {first.motion:.1f} px",
            ),
            ("", f"{'':<12}{'AEPE':>9}{'within 1 px':>13}{'3 px':>9}{'5 px':>9}"),
        ]
        for name, s in self.scores.items():
            shares = "".join(
                f"{100 * share:>{width}.1f} %"
                for share, width in zip(s.pck, (11, 7, 7), strict=True)
            )
            rows.append(("", f"{name:<12}{s.aepe:>6.2f} px{shares}"))
        return rows

    def _brightness_rows(self) -> list[Row]:
        if not self.brightness:
            return []
        values = ", ".join(f"{name} {value:.2f}" for name, value in self.brightness.items())
        return [
            ("accuracy", "unknown: the bag has no ground truth"),
            ("", f"gray levels that differ after undoing the motion: {values}"),
        ]


@dataclass(frozen=True)
class DepthFound:
    """
    The depth of a run.

    poses: topic that was played to the node, or None; scale: "metric" or "relative", the last the
    node said, or None; truth: topic, and score against it; facts: what can be said without.
    """

    run: NodeRun
    poses: str | None
    scale: str | None
    truth: str | None
    score: DepthScore | None
    facts: DepthFacts | None

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            **self.run.as_json(),
            "poses": self.poses,
            "scale": self.scale,
            "truth": self.truth,
            "accuracy": asdict(self.score) if self.score else None,
            "facts": asdict(self.facts) if self.facts else None,
        }

    def rows(self) -> list[Row]:
        """(name, text) for a terminal."""
        poses = f"given on {self.poses}" if self.poses else "estimated by the node"
        rows = [*self.run.rows(), ("poses", f"{poses}; scale: {self.scale or 'not said'}")]
        if self.facts is None:
            return [*rows, ("depth", "none in any frame"), *self.run.complaint_rows()]
        known = (
            f"{self.facts.frames} frames, on {100 * self.facts.coverage:.1f} % of the pixels, "
            f"sigma {100 * self.facts.relative_sigma:.1f} % of the depth (median)"
        )
        rows.append(("depth", known))
        return [*rows, *self._accuracy_rows(), *self.run.complaint_rows()]

    def _accuracy_rows(self) -> list[Row]:
        score = self.score
        if score is None:
            return [("accuracy", "unknown: the bag has no measured depth")]
        scaled = ", each scaled to its median" if score.scaled else ""
        ones, twos = score.within
        rows = [
            ("accuracy", f"against depth on {self.truth}: {score.frames} frames{scaled}"),
            (
                "",
                f"AbsRel {score.abs_rel:.3f}, {100 * score.delta:.1f} % within a factor of 1.25, "
                f"on {100 * score.coverage:.1f} % of the pixels with truth",
            ),
            (
                "",
                f"AbsRel {score.surer:.3f} on the half with the smaller sigma / depth, "
                f"{score.vaguer:.3f} on the other; {100 * ones:.0f} % of the errors are within "
                f"1 sigma, {100 * twos:.0f} % within 2",
            ),
        ]
        if score.still is not None and score.moving is not None:
            text = f"AbsRel {score.still:.3f} on what stands still; {100 * score.moving:.1f} %"
            rows.append(("", f"{text} of the pixels show something that moves, or its rim"))
        return rows


@dataclass(frozen=True)
class Summary:
    """
    A demonstration: where it played from, what each node did, what was written.

    A node that was not run is None, with the reason in `skipped`.
    """

    folder: str
    camera: CameraSource
    flow: FlowFound | None
    depth: DepthFound | None
    skipped: list[str]
    written: list[str]

    @property
    def failure(self) -> str | None:
        """Why the demonstration is not good, in one line."""
        runs = [part.run for part in (self.flow, self.depth) if part is not None]
        return next((run.failure for run in runs if run.failure), None)

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        camera = self.camera
        return {
            "bag": str(camera.bag),
            "topic": camera.topic,
            "encoding": camera.encoding,
            "width": camera.width,
            "height": camera.height,
            "frames": len(camera.headers),
            "input_hz": 1 / camera.period,
            "flow": self.flow.as_json() if self.flow else None,
            "depth": self.depth.as_json() if self.depth else None,
            "skipped": self.skipped,
            "folder": self.folder,
            "written": self.written,
        }

    def as_text(self) -> str:
        """Return the summary for a terminal."""
        parts = [[("input", self._input_text())]]
        parts += [part.rows() for part in (self.flow, self.depth) if part is not None]
        parts += [[("skipped", text) for text in self.skipped]] if self.skipped else []
        parts.append([("written", f"{self.folder}: {', '.join(self.written)}")])
        blocks = ["\n".join(f"{name:<9} {text}".rstrip() for name, text in p) for p in parts]
        return "\n\n".join(blocks)

    def _input_text(self) -> str:
        camera = self.camera
        return (
            f"{len(camera.headers)} frames of {camera.width}x{camera.height} {camera.encoding} at "
            f"{1 / camera.period:.1f} Hz on {camera.topic}"
        )

    def write(self, path: Path) -> None:
        """summary.json."""
        with atomic_write(path) as handle:
            handle.write((json.dumps(self.as_json(), indent=2) + "\n").encode())


def _score_json(score: SetScore) -> dict[str, Any]:
    return {
        "pairs": score.pairs,
        "aepe_px": round(score.aepe, 4),
        "pck_1px": round(score.pck[0], 4),
        "pck_3px": round(score.pck[1], 4),
        "pck_5px": round(score.pck[2], 4),
        "median_motion_px": round(score.motion, 2),
    }
