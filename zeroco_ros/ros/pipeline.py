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

"""What every configured node has: inputs, a worker on the newest item, a model, outputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
import time
from typing import Any, Generic, Protocol, TypeVar

from zeroco_ros.ros.diagnostics import Complaint
from zeroco_ros.ros.journal import Journal
from zeroco_ros.ros.metrics import Metrics
from zeroco_ros.ros.model import RunningModel
from zeroco_ros.ros.outputs import Outputs
from zeroco_ros.stream import LatestWorker

LAST_INFERENCE = 60.0  # seconds to wait for the inference under way when stopping

Item = TypeVar("Item")


class Subscribed(Protocol):
    """A topic that is listened to on demand."""

    topic: str

    def subscribe(self) -> None:
        """Listen; does nothing when listening already."""

    def unsubscribe(self) -> None:
        """Stop listening."""

    @property
    def publishers(self) -> int:
        """How many publishers the topic has now."""


class Input(Protocol):
    """
    The inputs of a node: topics, and what is made of their messages until the worker takes it.

    topics: all that is subscribed while an output is wanted. cameras: those that bring images.
    """

    topics: Sequence[Subscribed]
    cameras: Sequence[Subscribed]

    def clear(self) -> None:
        """Forget what waits."""

    def counts(self) -> dict[str, int]:
        """Counters of metrics.COUNTERS that the input keeps itself."""

    def reconfigure(self, values: Mapping[str, Any]) -> None:
        """Take over changed parameters."""


class Pipeline(ABC, Generic[Item]):
    """
    Topics -> items -> worker -> topics, for one configuration of a node.

    A subclass's constructor calls `super().__init__`, builds the input, loads the model (raises
    ZerocoError when the parameters do not allow it; nothing is left behind then), then `_outfit`.
    `start` and `stop` alternate; `close` ends it.
    """

    model: RunningModel[Any]

    def __init__(self, task: str, journal: Journal, metrics: Metrics) -> None:
        self._journal = journal
        self._metrics = metrics
        self._listening_since: float | None = None
        self._worker: LatestWorker[Item] = LatestWorker(
            lambda item: self._job(item),
            on_error=lambda error: journal.failed(task, error),
            name=task,
        )

    def _outfit(self, source: Input, outputs: Outputs, job: Callable[[Item], None]) -> None:
        """Take the last step of construction."""
        self._input = source
        self._outputs = outputs
        self._job = job
        self._metrics.follow(self._counts)

    @abstractmethod
    def reconfigure(self, values: dict[str, Any]) -> None:
        """Take over parameters that may change while images come in."""

    def complaints(self) -> Sequence[Complaint]:
        """Return what is wrong beside the faults that every node has, while it is active."""
        return ()

    def facts(self) -> Mapping[str, str]:
        """Return what diagnostics show beside the facts that every node has."""
        return {}

    def start(self) -> None:
        """Start the worker; the inputs are subscribed as soon as somebody listens."""
        self._worker.start()
        self.follow_subscribers()

    def stop(self) -> None:
        """Unsubscribe, and end the worker after the inference under way."""
        self._listen(False)
        if not self._worker.stop(LAST_INFERENCE):
            self._journal.error("stop", f"an inference still runs after {LAST_INFERENCE:.0f} s")

    def close(self) -> None:
        """Stop, take the topics back and let go of the model."""
        self.stop()
        self._metrics.settle()
        self._outputs.destroy()
        del self._job, self.model

    def poll(self) -> None:
        """Do what is due a few times per second, whatever the node's clock does."""
        self.follow_subscribers()

    def follow_subscribers(self) -> None:
        """Be subscribed to the inputs exactly while an output is listened to."""
        if not self._worker.running:
            return
        try:
            self._listen(bool(self._outputs.wanted()))
        except Exception as error:  # called by events: the node goes on, and says what happened
            self._journal.fault("subscribing", error)

    @property
    def topics(self) -> dict[str, int]:
        """Input topics and how many publishers each has."""
        return {topic.topic: topic.publishers for topic in self._input.topics}

    @property
    def cameras(self) -> frozenset[str]:
        """Return the input topics that bring images."""
        return frozenset(topic.topic for topic in self._input.cameras)

    @property
    def listening_for(self) -> float | None:
        """Seconds since the inputs were subscribed, None while nobody wants them."""
        since = self._listening_since
        return None if since is None else time.monotonic() - since

    @property
    def wanted(self) -> frozenset[str]:
        """Names of the outputs that somebody listens to."""
        return self._outputs.wanted()

    @property
    def queue(self) -> int:
        """Items that wait for the worker: 0 or 1."""
        return self._worker.waiting

    @property
    def waiting(self) -> int:
        """Items that are in the node: waiting for the worker or worked on."""
        return self._worker.pending

    def _listen(self, wanted: bool) -> None:
        if wanted == (self._listening_since is not None):
            return
        for topic in self._input.topics:
            if wanted:
                topic.subscribe()
            else:
                topic.unsubscribe()
        if not wanted:
            self._input.clear()
        self._listening_since = time.monotonic() if wanted else None

    def _submit(self, item: Item) -> None:
        self._worker.submit(item)

    def _counts(self) -> dict[str, int]:
        counts = self._input.counts()
        return {**counts, "dropped": counts.get("dropped", 0) + self._worker.dropped}
