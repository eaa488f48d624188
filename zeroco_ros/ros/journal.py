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

"""What happens to a node's stream, counted for diagnostics and told once in the log."""

from __future__ import annotations

import threading
import time
import traceback
from typing import Any

from zeroco_ros.ros.metrics import Metrics
from zeroco_ros.stream.pairing import EventKind

QUIET = 5.0  # seconds during which the same complaint is not repeated


class Throttle:
    """Lets a message with the same key through every QUIET seconds, with the count in between."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, int]] = {}
        self._lock = threading.Lock()

    def suffix(self, key: str) -> str | None:
        """Return what to append to the message, or None when it is to be kept back."""
        now = time.monotonic()
        with self._lock:
            then, held = self._last.get(key, (now - QUIET, 0))
            if now - then < QUIET:
                self._last[key] = (then, held + 1)
                return None
            self._last[key] = (now, 0)
            return f" (and {held} more like it)" if held else ""


class Journal:
    """Counters and log lines; called from the executor's and from the worker's thread."""

    def __init__(self, logger: Any, metrics: Metrics) -> None:
        self._logger = logger
        self._metrics = metrics
        self._throttle = Throttle()
        self.incompatible_text = ""
        self.voids = 0  # results that were not finite, so far

    def received(self, topic: str) -> None:
        """Count an image message on `topic`."""
        self._metrics.add("in")
        self._metrics.input_rate.tick()

    def refuse(self, topic: str, reason: str) -> None:
        """Count and tell that an image could not be used and is dropped."""
        self._metrics.add("refused")
        self.error(f"refuse {topic}", f"{topic}: image dropped: {reason}")

    def event(self, kind: EventKind, text: str) -> None:
        """Tell that the stream jumped, paused, lost its clock or changed its resolution."""
        # Gaps may come with every frame (a slow camera); each jump is worth its line.
        suffix = "" if kind == "jump" else self._throttle.suffix(kind)
        if suffix is not None:
            self._logger.warning(f"{text}{suffix}")

    def note(self, key: str, text: str) -> None:
        """One line for information, throttled per key."""
        suffix = self._throttle.suffix(key)
        if suffix is not None:
            self._logger.info(f"{text}{suffix}")

    def incompatible(self, text: str) -> None:
        """Tell of a QoS that does not fit; nothing flows there."""
        self._metrics.add("incompatible_qos")
        self.incompatible_text = text
        self._logger.warning(f"incompatible QoS: {text}")

    def non_finite(self, reason: str) -> None:
        """Count and tell that the network's output is void."""
        self.voids += 1
        self._metrics.add("non_finite")
        self.error("non_finite", f"result dropped: {reason}")

    def failed(self, where: str, error: BaseException) -> None:
        """Something unexpected was raised and cost an image; the stream goes on."""
        self._tell("failed", where, error)

    def fault(self, where: str, error: BaseException) -> None:
        """Something unexpected was raised and cost no image; the node goes on."""
        self._tell("faults", where, error)

    def _tell(self, counter: str, where: str, error: BaseException) -> None:
        self._metrics.add(counter)
        lines = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self._logger.debug(lines)
        self.error(f"fault {where}", f"{where}: {type(error).__name__}: {error}")

    def error(self, key: str, text: str) -> None:
        """One line of ERROR, throttled per key, and the last error of the diagnostics."""
        self._metrics.last_error = text
        suffix = self._throttle.suffix(key)
        if suffix is not None:
            self._logger.error(f"{text}{suffix}")
