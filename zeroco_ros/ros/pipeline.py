"""Everything a configured flow node has: inputs, worker, model, outputs."""

from __future__ import annotations

import time
from typing import Any

from rclpy.lifecycle import LifecycleNode

from zeroco_ros.ros.frames import FramePair
from zeroco_ros.ros.inference import FlowJob
from zeroco_ros.ros.inputs import SynchronizedInput, TemporalInput
from zeroco_ros.ros.journal import Journal
from zeroco_ros.ros.metrics import Metrics
from zeroco_ros.ros.model import load_model
from zeroco_ros.ros.outputs import FlowOutputs
from zeroco_ros.ros.parameter_server import ParameterServer
from zeroco_ros.stream import LatestWorker

LAST_INFERENCE = 60.0  # seconds to wait for the inference under way when stopping


class FlowPipeline:
    """Camera topics -> pairs -> worker -> flow topics, for one configuration.

    The constructor loads the model and raises ZerocoError when the parameters do not allow it;
    nothing is left behind then. `start` and `stop` alternate; `close` ends it.
    """

    def __init__(
        self, node: LifecycleNode, parameters: ParameterServer, journal: Journal, metrics: Metrics
    ) -> None:
        self._journal = journal
        self._metrics = metrics
        self._listening_since: float | None = None
        values = parameters.values
        self._worker: LatestWorker[FramePair] = LatestWorker(
            self._work, on_error=lambda error: journal.fault("flow", error), name="flow"
        )
        kind = SynchronizedInput if values["pairing"] == "synchronized" else TemporalInput
        self._submitted = self._begun = 0
        self._input = kind(node, values, journal, self._submit)
        self.model = load_model(values)
        magnitude = float(values["color_max_magnitude"])
        self._outputs = FlowOutputs(node, journal.incompatible, self.follow_subscribers, magnitude)
        self._job = FlowJob(self.model, self._outputs, journal, metrics, lambda: parameters.values)
        metrics.follow(self._counts)

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

    def follow_subscribers(self) -> None:
        """Be subscribed to the inputs exactly while an output is listened to."""
        if not self._worker.running:
            return
        try:
            self._listen(bool(self._outputs.wanted()))
        except Exception as error:  # called by events: the node goes on, and says what happened
            self._journal.fault("subscribing", error)

    def reconfigure(self, values: dict[str, Any]) -> None:
        """Take over parameters that may change while images come in."""
        self._input.reconfigure(values)
        self._outputs.painter.max_magnitude = float(values["color_max_magnitude"])

    @property
    def topics(self) -> dict[str, int]:
        """Input topics and how many publishers each has."""
        return {topic.topic: topic.publishers for topic in self._input.topics}

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
        """Pairs that wait for the worker: 0 or 1."""
        return max(0, self._submitted - self._begun - self._worker.dropped)

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

    def _submit(self, pair: FramePair) -> None:
        self._submitted += 1
        self._worker.submit(pair)

    def _work(self, pair: FramePair) -> None:
        self._begun += 1
        self._job(pair)

    def _counts(self) -> dict[str, int]:
        counts = self._input.counts()
        return {**counts, "dropped": self._worker.dropped}
