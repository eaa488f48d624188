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

"""One node's part of the demonstration: what was played to it and what it answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from zeroco_ros.demo.nodes import NodeSpec
from zeroco_ros.demo.session import Record, UNANSWERED
from zeroco_ros.evaluation.bag_camera import CameraSource

ENOUGH = 0.98  # share of the possible answers below which the run has failed

Row = tuple[str, str]


@dataclass(frozen=True)
class NodeRun:
    """A finished session. complaints: warnings and errors of the node; model: what it ran."""

    spec: NodeSpec
    camera: CameraSource
    record: Record
    complaints: list[str]
    model: str

    @property
    def answer(self) -> str:
        """Return the output that is counted and timed."""
        return self.spec.outputs[0]

    @property
    def answered(self) -> int:
        """Different frames with an answer, of those that can have one."""
        return len(set(self.camera.possible) & self.record.answered.keys())

    @property
    def share(self) -> float:
        """Answers out of those possible, in [0, 1]."""
        return self.answered / len(self.camera.possible)

    @property
    def wrong_headers(self) -> int:
        """
        Return the number of answers with a wrong header.

        Their stamp and frame_id are not those of a frame that can have one, or they come twice, or
        out of order.
        """
        frames = {h.stamp_ns: h.frame_id for h in self.camera.headers}
        possible = set(self.camera.possible)
        wrong = 0
        for name in self.spec.outputs:
            last = -1
            for header in self.record.headers[name]:
                right = header.stamp_ns in possible and frames[header.stamp_ns] == header.frame_id
                wrong += not (right and header.stamp_ns > last)
                last = max(last, header.stamp_ns)
        return wrong

    @property
    def latencies(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Seconds from publishing a frame to its answer, of the frames played on schedule."""
        answered, sent = self.record.answered, self.record.sent
        return np.array([answered[s] - sent[s] for s in self.record.paced if s in answered])

    @property
    def rate_out(self) -> float:
        """Answers per second while frames came on schedule; 0 where that was too short."""
        answered = self.record.answered
        arrivals = sorted(answered[s] for s in self.record.paced if s in answered)
        if len(arrivals) < 2 or arrivals[-1] <= arrivals[0]:
            return 0.0
        return (len(arrivals) - 1) / (arrivals[-1] - arrivals[0])

    @property
    def failure(self) -> str | None:
        """Why the run is not good, in one line."""
        if self.wrong_headers:
            return (
                f"{self.wrong_headers} answers of {self.spec.name} have a wrong stamp or frame_id"
            )
        if self.share < ENOUGH:
            return f"only {100 * self.share:.1f} % of the possible {self.answer} messages came"
        return None

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON values; times in seconds."""
        record, latency = self.record, self.latencies
        return {
            "frames_in": len(record.sent),
            "possible": len(self.camera.possible),
            "out": self.answered,
            "share": self.share,
            "messages": {name: len(headers) for name, headers in record.headers.items()},
            "wrong_headers": self.wrong_headers,
            "play_rate": record.rate,
            "played_hz": record.rate / self.camera.period,
            "step_s": record.step,
            "held_back": record.held,
            "held_back_s": record.held_seconds,
            "rate_out_hz": self.rate_out,
            "latency_median_s": float(np.median(latency)) if latency.size else None,
            "latency_p95_s": float(np.percentile(latency, 95)) if latency.size else None,
            "said": record.said,
            "model": self.model,
            "node_complaints": self.complaints,
        }

    def rows(self) -> list[Row]:
        """(name, text) for a terminal."""
        return [
            ("node", f"{self.spec.name}, {self.model}"),
            ("played", self._played_text()),
            (f"{self.answer} out", self._output_text()),
            ("rate", f"{self.rate_out:.1f} {self.answer} messages per second"),
            ("latency", self._latency_text()),
        ]

    def complaint_rows(self) -> list[Row]:
        """Return what the node warned of."""
        return [("node said", line) for line in self.complaints]

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
        possible = len(self.camera.possible)
        text = f"{self.answered} of {possible} possible ({100 * self.share:.1f} %)"
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
            f"a frame to receiving its {self.answer}"
        )
