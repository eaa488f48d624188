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

"""What a step tells of: a node counts it for diagnostics and logs it, a replay records it."""

from __future__ import annotations

from typing import Protocol

from zeroco_ros.stream.pairing import EventKind


class Log(Protocol):
    """Events of a stream; `ros.journal.Journal` is one."""

    def refuse(self, topic: str, reason: str) -> None:
        """Take down that an image could not be used and is dropped."""

    def event(self, kind: EventKind, text: str) -> None:
        """Take down that the stream jumped, paused, lost its clock or changed its resolution."""

    def failed(self, where: str, error: BaseException) -> None:
        """Something unexpected was raised and cost an image."""

    def note(self, key: str, text: str) -> None:
        """One line for information; key: what it is about."""

    def non_finite(self, reason: str) -> None:
        """Take down that the network's output is void."""

    def error(self, key: str, text: str) -> None:
        """One line that is wrong; key: what it is about."""


class Counts(Protocol):
    """Counters by name; `ros.metrics.Metrics` is one."""

    def add(self, name: str, count: int = 1) -> None:
        """Raise one counter."""
