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

"""What happens to the stream while a bag is replayed: counted and kept, not logged."""

from __future__ import annotations

from collections.abc import Sequence

from zeroco_ros.replay.record import Event
from zeroco_ros.stream.pairing import EventKind

MOST = 500  # events kept per task; the counters count them all


class EventLog:
    """
    The `online.log.Log` and `Counts` of one task of a replay.

    now: stamp (ns) of the frame that is worked on, set by the player. events: what happened, up to
    MOST. prefix: of the texts, where two tasks run.
    """

    def __init__(self, counters: Sequence[str], prefix: str = "") -> None:
        self.now = 0
        self.events: list[Event] = []
        self.left_out = 0
        self._prefix = prefix
        self._counts = dict.fromkeys(counters, 0)

    def add(self, name: str, count: int = 1) -> None:
        """Raise one counter."""
        self._counts[name] += count

    @property
    def counts(self) -> dict[str, int]:
        """All counters."""
        return dict(self._counts)

    def refuse(self, topic: str, reason: str) -> None:
        """Note an image that could not be used."""
        self.add("refused")
        self._keep("refused", f"{topic}: {reason}")

    def event(self, kind: EventKind, text: str) -> None:
        """Note a jump, a gap, a lost clock, another resolution."""
        self._keep(kind, text)

    def failed(self, where: str, error: BaseException) -> None:
        """Note something unexpected that cost an image."""
        self.add("failed")
        self._keep("error", f"{where}: {type(error).__name__}: {error}")

    def note(self, key: str, text: str) -> None:
        """Note a line for information."""
        self._keep(key, text)

    def non_finite(self, reason: str) -> None:
        """Note a void result."""
        self.add("non_finite")
        self._keep("error", f"result dropped: {reason}")

    def error(self, key: str, text: str) -> None:
        """Note something that is wrong; the same once."""
        if not any(event.text.endswith(text) for event in self.events):
            self._keep("error", text)

    def _keep(self, kind: str, text: str) -> None:
        if len(self.events) >= MOST:
            self.left_out += 1
            return
        self.events.append(Event(self.now, kind, f"{self._prefix}{text}"))
