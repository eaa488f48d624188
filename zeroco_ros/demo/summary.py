"""What the demo found, as numbers and as text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zeroco_ros.demo.session import OUTPUTS, UNANSWERED, Record
from zeroco_ros.demo.source import CameraSource
from zeroco_ros.evaluation.metrics import SetScore
from zeroco_ros.media.atomic import atomic_write

ENOUGH = 0.98  # share of the possible flow messages below which the run has failed


@dataclass(frozen=True)
class Summary:
    """A run: where it played from, what happened, how good it was, what was written.

    scores: by method, against `truth` (in words); brightness: by method, gray levels, where there
    is no truth. complaints: warnings and errors of the node. model: what it ran.
    """

    folder: str
    camera: CameraSource
    record: Record
    truth: str | None
    scores: dict[str, SetScore]
    brightness: dict[str, float]
    complaints: list[str]
    model: str
    written: list[str]

    @property
    def flows(self) -> int:
        """Different frames with a flow, of those that can have one."""
        return len(set(self.camera.possible) & self.record.flow.keys())

    @property
    def share(self) -> float:
        """Flow messages out of those possible, in [0, 1]."""
        return self.flows / len(self.camera.possible)

    @property
    def wrong_headers(self) -> int:
        """Answers whose stamp and frame_id are not those of a frame that can have one, that come
        twice, or out of order."""
        frames = {h.stamp_ns: h.frame_id for h in self.camera.headers}
        possible = set(self.camera.possible)
        wrong = 0
        for name in OUTPUTS:
            last = -1
            for header in self.record.headers[name]:
                right = header.stamp_ns in possible and frames[header.stamp_ns] == header.frame_id
                wrong += not (right and header.stamp_ns > last)
                last = max(last, header.stamp_ns)
        return wrong

    @property
    def latencies(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Seconds from publishing a frame to its flow, of the frames played on schedule."""
        flow, sent = self.record.flow, self.record.sent
        return np.array([flow[s] - sent[s] for s in self.record.paced if s in flow])

    @property
    def rate_out(self) -> float:
        """Flow messages per second while frames came on schedule; 0 where that was too short."""
        arrivals = sorted(self.record.flow[s] for s in self.record.paced if s in self.record.flow)
        if len(arrivals) < 2 or arrivals[-1] <= arrivals[0]:
            return 0.0
        return (len(arrivals) - 1) / (arrivals[-1] - arrivals[0])

    @property
    def failure(self) -> str | None:
        """Why the run is not good, in one line."""
        if self.wrong_headers:
            return f"{self.wrong_headers} answers have a wrong stamp or frame_id"
        if self.share < ENOUGH:
            return f"only {100 * self.share:.1f} % of the possible flow messages came"
        return None

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON values; times in seconds, accuracy in pixels."""
        camera, record = self.camera, self.record
        latency = self.latencies
        return {
            "bag": str(camera.bag),
            "topic": camera.topic,
            "encoding": camera.encoding,
            "width": camera.width,
            "height": camera.height,
            "frames_in": len(record.sent),
            "input_hz": 1 / camera.period,
            "flow_possible": len(camera.possible),
            "flow_out": self.flows,
            "share": self.share,
            "confidence_out": len(record.headers["confidence"]),
            "wrong_headers": self.wrong_headers,
            "play_rate": record.rate,
            "played_hz": record.rate / camera.period,
            "step_s": record.step,
            "held_back": record.held,
            "held_back_s": record.held_seconds,
            "rate_out_hz": self.rate_out,
            "latency_median_s": float(np.median(latency)) if latency.size else None,
            "latency_p95_s": float(np.percentile(latency, 95)) if latency.size else None,
            "truth": self.truth,
            "accuracy": {name: _score_json(score) for name, score in self.scores.items()},
            "brightness_change": self.brightness,
            "model": self.model,
            "node_complaints": self.complaints,
            "folder": self.folder,
            "written": self.written,
        }

    def as_text(self) -> str:
        """The summary for a terminal."""
        rows = [
            ("input", self._input_text()),
            ("node", f"flow_node, {self.model}"),
            ("played", self._played_text()),
            ("flow out", self._output_text()),
            ("rate", f"{self.rate_out:.1f} flow messages per second"),
            ("latency", self._latency_text()),
            *self._accuracy_rows(),
            *self._brightness_rows(),
            ("written", f"{self.folder}: {', '.join(self.written)}"),
        ]
        rows += [("node said", line) for line in self.complaints]
        return "\n".join(f"{name:<9} {text}".rstrip() for name, text in rows)

    def _input_text(self) -> str:
        camera = self.camera
        return (
            f"{len(camera.headers)} frames of {camera.width}x{camera.height} {camera.encoding} at "
            f"{1 / camera.period:.1f} Hz on {camera.topic}"
        )

    def _played_text(self) -> str:
        record, hertz = self.record, 1 / self.camera.period
        text = f"at {record.rate:g}x = {record.rate * hertz:.1f} Hz; the node needs "
        text += f"{1000 * record.step:.0f} ms a frame"
        if record.held:
            text += (
                f"; {record.held} frames held back, {record.held_seconds:.1f} s in all, while "
                f"{UNANSWERED} were unanswered"
            )
        return text

    def _output_text(self) -> str:
        text = f"{self.flows} of {len(self.camera.possible)} possible ({100 * self.share:.1f} %)"
        if self.wrong_headers:
            return f"{text}; {self.wrong_headers} WITH A WRONG STAMP OR FRAME_ID"
        return f"{text}; every stamp and frame_id is its frame's"

    def _latency_text(self) -> str:
        latency = self.latencies
        if not latency.size:
            return "not measured: too few frames"
        median, p95 = np.median(latency), np.percentile(latency, 95)
        return (
            f"median {1000 * median:.0f} ms, 95th percentile {1000 * p95:.0f} ms, from publishing "
            "a frame to receiving its flow"
        )

    def _accuracy_rows(self) -> list[tuple[str, str]]:
        if not self.scores:
            return []
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

    def _brightness_rows(self) -> list[tuple[str, str]]:
        if not self.brightness:
            return []
        values = ", ".join(f"{name} {value:.2f}" for name, value in self.brightness.items())
        return [
            ("accuracy", "unknown: the bag has no ground truth"),
            ("", f"gray levels that differ after undoing the motion: {values}"),
        ]

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
