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

"""What a report says first: whether the run is whole, and whether it is good enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from zeroco_ros.replay.record import ReplayRun
from zeroco_ros.report.comparison import Comparison
from zeroco_ros.report.markup import element, Markup
from zeroco_ros.report.number_text import percent
from zeroco_ros.report.summary import HEADLINES
from zeroco_ros.report.thresholds import Finding

REASONS = 8  # lines that are shown at once


@dataclass(frozen=True)
class Verdict:
    """
    What is said on top.

    level: "good", "warn", "bad", or "" for what was not judged. reasons: one line each.
    """

    level: str
    title: str
    reasons: Sequence[str] = field(default_factory=tuple)

    def markup(self) -> Markup:
        """Return the verdict as a box."""
        lines = [element("li", one) for one in self.reasons]
        shown, more = lines[:REASONS], lines[REASONS:]
        rest = element("details", element("summary", f"{len(more)} more"), element("ul", more))
        return element(
            "div",
            element("strong", self.title),
            element("ul", shown) if shown else None,
            rest if more else None,
            class_=f"verdict {self.level}".rstrip(),
            role="status",
        )


def of_run(run: ReplayRun) -> Verdict:
    """Return the verdict of a run that no thresholds are given for."""
    bags = run.metrics.bags
    failed = [bag for bag in bags if bag.status != "ok"]
    reasons = [f"{bag.name}: {bag.error or 'failed'}" for bag in failed]
    reasons += lost_frames(run)
    reasons += [f"{bag.name}: {text}" for bag in run.ok for text in bag.warnings]
    if failed and len(failed) == len(bags):
        title = "The bag failed" if len(bags) == 1 else f"All {len(bags)} bags failed"
        return Verdict("bad", title, reasons)
    if failed:
        return Verdict("warn", f"{len(failed)} of {len(bags)} bags failed", reasons)
    if reasons:
        return Verdict("warn", "Complete, with something to look at", reasons)
    return Verdict("", "Complete; quality not judged, no thresholds were given")


def lost_frames(run: ReplayRun) -> list[str]:
    """Return a line for each bag that has frames without a result or without tracking."""
    lines = []
    for bag in run.ok:
        states = bag.frames.state
        without, lost = states.count("none"), states.count("lost")
        # where a stream begins there is nothing to compare with yet
        begun = max([1, *(n for name, n in bag.counters.items() if name.endswith("started"))])
        words = [f"{without} without a result"] if without > begun else []
        words += [f"{lost} with tracking lost"] if lost else []
        if words:
            lines.append(f"{bag.name}: of {len(states)} frames {', '.join(words)}")
    return lines


def of_findings(findings: Sequence[Finding]) -> Verdict:
    """Return whether all rules of a threshold file hold, and which do not."""
    broken = [one.text for one in findings if not one.passed]
    if broken:
        return Verdict("bad", f"{len(broken)} of {len(findings)} thresholds violated", broken)
    plural = "threshold holds" if len(findings) == 1 else "thresholds hold"
    return Verdict("good", f"{len(findings)} {plural}")


def of_comparison(comparison: Comparison) -> Verdict:
    """Return in a sentence what B is like beside A, without a judgment of what matters more."""
    words = comparison.counts()
    matching = comparison.matching
    if not matching.frames:
        return Verdict("warn", "The runs have no frame in common: nothing is compared")
    if set(words) <= {"equal", "unknown"} and matching.same:
        return Verdict("good", "All metrics are equal, to the last bit")
    ranked = sorted(comparison.changes, key=lambda change: change.name not in HEADLINES)
    order = ("better", "worse", "unclear", "changed", "equal", "unknown")
    told = [f"{words[word]} {word}" for word in order if word in words]
    reasons = [
        f"{change.metric.title}: {word}"
        + (f" by {percent(abs(change.relative)).lstrip('+')}" if change.relative else "")
        for word in ("worse", "better")
        for change in ranked
        if change.word == word
    ]
    level = "warn" if words.get("worse") else "good" if words.get("better") else ""
    return Verdict(
        level, f"B beside A, of {len(comparison.changes)} metrics: {', '.join(told)}", reasons
    )
