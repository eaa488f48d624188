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

"""
The camera topics of flow_node: checked, ordered, and handed on in pairs.

`TemporalInput` pairs the frames of `image`; `SynchronizedInput` pairs `left/image` with
`right/image`. Both hand over `FramePair`s.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

from rclpy.node import Node

from zeroco_ros.online.frames import Frame, FramePair
from zeroco_ros.ros.input_topic import ImageTopic
from zeroco_ros.ros.journal import Journal
from zeroco_ros.ros.synchronizer import CameraPairer
from zeroco_ros.stream import Pair, TemporalPairer


class PairedInput(ABC):
    """
    Image topics whose frames become pairs; hands each pair to `submit`.

    CAMERAS: the topics' names. SETTINGS: the parameters that the pairing takes; when one of them
    changes it starts anew, and goes on counting.
    """

    CAMERAS: ClassVar[tuple[str, ...]]
    SETTINGS: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        node: Node,
        values: Mapping[str, Any],
        journal: Journal,
        submit: Callable[[FramePair], None],
    ) -> None:
        self._journal = journal
        self._submit = submit
        self._settings = self._chosen(values)
        self.topics = self.cameras = tuple(
            ImageTopic(node, name, values, journal, partial(self._push, side))
            for side, name in enumerate(self.CAMERAS)
        )

    def reconfigure(self, values: Mapping[str, Any]) -> None:
        """Take over changed parameters."""
        for topic in self.topics:
            topic.reconfigure(values)
        settings = self._chosen(values)
        if settings != self._settings:
            self._settings = settings
            self._renew()

    def _chosen(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(values[name] for name in self.SETTINGS)

    @abstractmethod
    def clear(self) -> None:
        """Forget the frames that wait for a partner, and their stamps."""

    @abstractmethod
    def counts(self) -> dict[str, int]:
        """Return the pairing's counters."""

    @abstractmethod
    def _renew(self) -> None:
        """Pair by the settings of now, from the next frame on."""

    @abstractmethod
    def _push(self, side: int, frame: Frame, shape: Any) -> None:
        """Take a frame of camera number `side`; shape: (height, width), None while compressed."""


class TemporalInput(PairedInput):
    """Pairs the frames of one camera over time."""

    CAMERAS = ("image",)
    SETTINGS = ("stride", "min_dt", "max_dt")

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._pairer = self._new_pairer()

    def _new_pairer(self) -> TemporalPairer[Frame]:
        return TemporalPairer(*self._settings, on_event=self._journal.event)

    def _renew(self) -> None:
        counters = self._pairer.counters
        self._pairer = self._new_pairer()
        self._pairer.counters = counters

    def clear(self) -> None:
        """Forget the frames that wait for a partner, and their stamps."""
        self._pairer.clear()

    def counts(self) -> dict[str, int]:
        """Return the pairing's counters."""
        return self._pairer.counters.as_dict()

    def _push(self, side: int, frame: Frame, shape: Any) -> None:
        pair: Pair[Frame] | None = self._pairer.push(frame.stamp, frame, shape)
        if pair is not None:
            self._submit(FramePair(pair.previous, pair.current))


class SynchronizedInput(PairedInput):
    """Pairs two cameras by stamp."""

    CAMERAS = ("left/image", "right/image")
    SETTINGS = ("slop", "sync_queue_size")

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._pairer = CameraPairer(*self._settings, self._emit, self._journal.event)

    def _renew(self) -> None:
        self._pairer.renew(*self._settings)

    def clear(self) -> None:
        """Forget the images that wait for a partner, and all stamps."""
        self._pairer.clear()

    def counts(self) -> dict[str, int]:
        """See `CameraPairer.counts`."""
        return self._pairer.counts()

    def _push(self, side: int, frame: Frame, shape: Any) -> None:
        self._pairer.push(side, frame.stamp, frame)

    def _emit(self, left: Frame, right: Frame) -> None:
        self._submit(FramePair(left, right))
