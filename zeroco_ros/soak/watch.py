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

"""What must hold of a node at all times, and what is said where it does not. No ROS in here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zeroco_ros.soak.steps import Picture
from zeroco_ros.soak.subject import Subject

Array = np.ndarray[Any, Any]
KEPT = 4096  # images whose results may still come


@dataclass(frozen=True)
class Violation:
    """Something that must not be. step: number of the step; act: what was going on."""

    step: int
    act: str
    what: str


@dataclass(frozen=True)
class Limits:
    """
    What is still all right.

    growth: MB of memory between the end of the warm-up and the end. slope: MB per 10 000 images
    after it. warm_up: share of the run. enough: samples (one a second) below which memory is not
    judged. period: seconds between diagnostics, most of them.
    """

    growth: float = 48.0
    slope: float = 10.0
    warm_up: float = 0.2
    enough: int = 120
    period: float = 1.5


class Outputs:
    """Checks every result: of an image that was sent, in order, of its size, with sane values."""

    def __init__(self) -> None:
        self._sent: dict[str, Picture] = {}
        self._last: dict[str, Picture] = {}
        self.received: dict[str, int] = {}

    def sent(self, picture: Picture) -> None:
        """Note an image that may have a result."""
        self._sent[picture.frame_id] = picture
        if len(self._sent) > KEPT:
            del self._sent[next(iter(self._sent))]

    def faults(
        self, output: str, stamp: int, frame_id: str, size: tuple[int, int], pixels: Array
    ) -> list[str]:
        """Return what is wrong with a result of (height, width) `size`; pixels: (H, W, C)."""
        self.received[output] = self.received.get(output, 0) + 1
        picture = self._sent.get(frame_id)
        if picture is None:
            return [f"{output}: a result of '{frame_id}', which was not sent lately"]
        found = []
        if stamp != picture.stamp:
            found.append(f"stamp {stamp}, the image's is {picture.stamp}")
        if size != picture.size:
            found.append(f"size {size}, the image's is {picture.size}")
        if picture.broken:
            found.append(f"a result of an image that is broken ({picture.broken})")
        last = self._last.get(output)
        if last is not None and picture.number <= last.number:
            found.append(f"it comes after the result of {last.frame_id}")
        elif last is not None and picture.epoch == last.epoch and stamp < last.stamp:
            found.append(f"its stamp {stamp} is older than {last.stamp} before it")
        self._last[output] = picture
        found += _value_faults(output, pixels)
        return [f"{output} of {frame_id}: {text}" for text in found]


def _value_faults(output: str, pixels: Array) -> list[str]:
    """Return what is wrong with the values of a result."""
    if output in ("depth", "depth_sigma"):  # NaN says: not known
        known = pixels[~np.isnan(pixels)]
        return [] if (np.isfinite(known) & (known >= 0)).all() else ["infinite or negative"]
    if not np.isfinite(pixels).all():
        return ["values that are not finite"]
    if output == "confidence" and not ((pixels >= 0) & (pixels <= 1)).all():
        return ["values outside of 0 to 1"]
    return []


class Books:
    """
    Checks the counters of diagnostics against each other and against what was sent.

    counters: their names; ends: those of them in one of which every image ends. expected: images
    sent while the node listened. refused: those of them that are broken.
    """

    def __init__(self, subject: Subject, counters: Iterable[str], ends: Iterable[str]) -> None:
        self.subject = subject
        self.counters = tuple(counters)
        self._ends = tuple(ends)
        self._before: Mapping[str, int] = {}
        self.expected = self.refused = 0

    def sent(self, picture: Picture) -> None:
        """Note an image that the node must take."""
        self.expected += 1
        self.refused += bool(picture.broken)

    def faults(self, counts: Mapping[str, int], queue: int) -> list[str]:
        """Return what cannot be, at any time."""
        found = [
            f"counter {name} fell from {self._before[name]} to {now}"
            for name, now in counts.items()
            if now < self._before.get(name, 0)
        ]
        self._before = dict(counts)
        open_ = counts["in"] - self.ended(counts)
        if not 0 <= open_ <= self.subject.held:
            found.append(f"{open_} images are unaccounted for: {self.told(counts)}")
        if counts["in"] > self.expected:
            found.append(f"{counts['in']} images counted, {self.expected} sent")
        if counts["refused"] > self.refused:
            found.append(f"{counts['refused']} images refused, {self.refused} broken ones sent")
        if queue > 1:
            found.append(f"queue is {queue}")
        return found

    def settled(self, counts: Mapping[str, int], waiting: int) -> bool:
        """Whether the node has dealt with all that was sent."""
        return (
            waiting == 0
            and counts["in"] == self.expected == self.ended(counts)
            and counts["refused"] == self.refused
        )

    def ended(self, counts: Mapping[str, int]) -> int:
        """Return how many images have come to an end."""
        return sum(counts[name] for name in self._ends)

    def told(self, counts: Mapping[str, int]) -> str:
        """Return the account in words."""
        ends = ", ".join(f"{name} {counts[name]}" for name in self._ends if counts[name])
        return f"in {counts['in']} of {self.expected} sent = {ends} (broken: {self.refused})"


@dataclass
class Memory:
    """Resident memory of the node over the run: (images sent, MB) samples."""

    samples: list[tuple[int, float]] = field(default_factory=list)

    def summary(self, limits: Limits) -> dict[str, float]:
        """
        Return MB at the end of the warm-up and at the end, the peak, and MB per 10 000 images.

        Empty before there are samples. The ends are medians over a tenth of what is judged.
        """
        if not self.samples:
            return {}
        total = self.samples[-1][0]
        judged = [s for s in self.samples if s[0] >= limits.warm_up * total] or self.samples
        sent, held = (np.array(column, float) for column in zip(*judged, strict=True))
        tenth = max(1, len(judged) // 10)
        slope = np.polyfit(sent, held, 1)[0] * 1e4 if len(set(sent)) > 1 else 0.0
        return {
            "samples": len(judged),
            "warm_mb": float(np.median(held[:tenth])),
            "end_mb": float(np.median(held[-tenth:])),
            "peak_mb": float(max(held)),
            "slope_mb_per_10000": float(slope),
        }

    def faults(self, limits: Limits) -> list[str]:
        """Return what is wrong at the end of the run; nothing where it was too short to judge."""
        told = self.summary(limits)
        if not told or told["samples"] < limits.enough:
            return []
        growth, slope = told["end_mb"] - told["warm_mb"], told["slope_mb_per_10000"]
        if growth > limits.growth and slope > limits.slope:
            return [f"memory grew by {growth:.0f} MB, {slope:.1f} MB per 10 000 images"]
        return []
