"""What a step tells of: a node counts it for diagnostics and logs it, a replay records it."""

from __future__ import annotations

from typing import Protocol

from zeroco_ros.stream.pairing import EventKind


class Log(Protocol):
    """Events of a stream; `ros.journal.Journal` is one."""

    def refuse(self, topic: str, reason: str) -> None:
        """An image could not be used: it is dropped."""

    def event(self, kind: EventKind, text: str) -> None:
        """The stream jumped, paused, lost its clock or changed its resolution."""

    def failed(self, where: str, error: BaseException) -> None:
        """Something unexpected was raised and cost an image."""

    def note(self, key: str, text: str) -> None:
        """One line for information; key: what it is about."""

    def non_finite(self, reason: str) -> None:
        """The network's output is void."""

    def error(self, key: str, text: str) -> None:
        """One line that is wrong; key: what it is about."""


class Counts(Protocol):
    """Counters by name; `ros.metrics.Metrics` is one."""

    def add(self, name: str, count: int = 1) -> None:
        """Raise one counter."""
