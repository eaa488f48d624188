"""Two cameras into pairs with message_filters, made to survive a clock that goes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from zeroco_ros.ros import compat
from zeroco_ros.stream import TemporalPairer
from zeroco_ros.stream.pairing import EventKind

Verdict = Literal["accepted", "dropped", "jumped"]


class OrderGuard:
    """The stamp rules of `TemporalPairer` for one camera, without its pairs.

    A frame that is late or repeated is to be dropped; after a jump back everything starts anew.
    """

    def __init__(self, on_event: Callable[[EventKind, str], None]) -> None:
        self._pairer: TemporalPairer[None] = TemporalPairer(max_dt=float("inf"), on_event=on_event)

    def see(self, stamp_ns: int) -> Verdict:
        """Judge the next frame by its stamp."""
        counters = self._pairer.counters
        refused, jumps = counters.refused, counters.jumps
        self._pairer.push(stamp_ns, None)
        if counters.refused > refused:
            return "dropped"
        return "jumped" if counters.jumps > jumps else "accepted"

    def clear(self) -> None:
        """Forget the stamps; counters stay."""
        self._pairer.clear()

    def counts(self) -> dict[str, int]:
        """The pairer's counters of this camera."""
        return self._pairer.counters.as_dict()


class _Feed:
    """What message_filters' synchronizers take as an input: something that signals messages."""

    def __init__(self) -> None:
        self._callbacks: list[tuple[Callable[..., None], tuple[Any, ...]]] = []

    def registerCallback(self, callback: Callable[..., None], *arguments: Any) -> int:  # noqa: N802
        """Called by the synchronizer."""
        self._callbacks.append((callback, arguments))
        return len(self._callbacks) - 1

    def push(self, message: Any) -> None:
        """Hand a message to the synchronizer."""
        for callback, arguments in self._callbacks:
            callback(message, *arguments)


class Synchronizer:
    """Pairs of messages (anything with a `header`) whose stamps differ by at most `slop` seconds.

    slop 0 asks for equal stamps. `clear` builds message_filters' synchronizer anew: it keeps the
    newest old stamps after a jump back and then starves.
    """

    def __init__(self, slop: float, queue_size: int, emit: Callable[[Any, Any], None]) -> None:
        self._slop = slop
        self._queue_size = queue_size
        self._emit = emit
        self.pairs = 0
        self.clear()

    def clear(self) -> None:
        """Forget what waits for a partner."""
        self._feeds = (_Feed(), _Feed())
        compat.build_synchronizer(self._feeds, self._queue_size, self._slop, self._paired)

    def push(self, side: int, message: Any) -> None:
        """side 0: left, 1: right."""
        self._feeds[side].push(message)

    def _paired(self, left: Any, right: Any) -> None:
        self.pairs += 1
        self._emit(left, right)
