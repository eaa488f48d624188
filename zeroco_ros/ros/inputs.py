"""The camera topics: subscribed while wanted, checked, ordered, and handed on in pairs.

`TemporalInput` pairs the frames of `image`; `SynchronizedInput` pairs `left/image` with
`right/image`. Both hand over `FramePair`s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from zeroco_ros.errors import ImageError
from zeroco_ros.ros import qos
from zeroco_ros.ros.frames import Frame, FramePair
from zeroco_ros.ros.journal import Journal
from zeroco_ros.ros.synchronizer import OrderGuard, Synchronizer
from zeroco_ros.stream import Pair, TemporalPairer


class ImageTopic:
    """One image topic, raw or compressed: subscribed on demand, refused where it is no image."""

    def __init__(
        self,
        node: Node,
        name: str,
        values: Mapping[str, Any],
        journal: Journal,
        deliver: Callable[[Frame, Any], None],
    ) -> None:
        compressed = values["image_transport"] == "compressed"
        base = node.resolve_topic_name(name)
        self.topic = f"{base}/compressed" if compressed else base
        self._type = CompressedImage if compressed else Image
        self._profile = qos.overridden(node, self.topic, "subscription", qos.input_profile())
        self._node = node
        self._journal = journal
        self._deliver = deliver
        self._subscription: Any = None
        self._compressed = compressed
        self.reconfigure(values)

    def reconfigure(self, values: Mapping[str, Any]) -> None:
        """Take over what may change while images come in."""
        self._max_pixels = int(values["max_pixels"])
        self._significant_bits = int(values["significant_bits"])

    def subscribe(self) -> None:
        """Listen; does nothing when listening already."""
        if self._subscription is None:
            self._subscription = self._node.create_subscription(
                self._type,
                self.topic,
                self._receive,
                self._profile,
                event_callbacks=qos.subscription_events(self.topic, self._journal.incompatible),
            )

    def unsubscribe(self) -> None:
        """Stop listening."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    @property
    def publishers(self) -> int:
        """How many publishers the topic has now."""
        return self._node.count_publishers(self.topic)

    def _receive(self, message: Any) -> None:
        self._journal.received(self.topic)
        try:
            frame = Frame(message, self.topic, self._max_pixels, self._significant_bits)
            # A raw image is judged before it is paired; decompression waits until it is needed.
            shape = None if self._compressed else frame.decode().shape[:2]
            self._deliver(frame, shape)
        except ImageError as error:
            self._journal.refuse(self.topic, str(error))
        except Exception as error:  # never out of a callback: the stream goes on
            self._journal.fault(self.topic, error)


class TemporalInput:
    """Pairs the frames of one camera over time; hands each pair to `submit`."""

    def __init__(
        self,
        node: Node,
        values: Mapping[str, Any],
        journal: Journal,
        submit: Callable[[FramePair], None],
    ) -> None:
        self._journal = journal
        self._submit = submit
        self._pairer = self._new_pairer(values)
        self._camera = ImageTopic(node, "image", values, journal, self._push)
        self.topics = (self._camera,)

    def reconfigure(self, values: Mapping[str, Any]) -> None:
        """Take over changed parameters; the pairing starts anew where they concern it."""
        self._camera.reconfigure(values)
        if _pairing(values) != self._settings:
            counters = self._pairer.counters
            self._pairer = self._new_pairer(values)
            self._pairer.counters = counters

    def _new_pairer(self, values: Mapping[str, Any]) -> TemporalPairer[Frame]:
        self._settings = _pairing(values)
        return TemporalPairer(*self._settings, on_event=self._journal.event)

    def clear(self) -> None:
        """Forget the frames that wait for a partner."""
        self._pairer.clear()

    def counts(self) -> dict[str, int]:
        """The pairing's counters."""
        return self._pairer.counters.as_dict()

    def _push(self, frame: Frame, shape: Any) -> None:
        pair: Pair[Frame] | None = self._pairer.push(frame.stamp, frame, shape)
        if pair is not None:
            self._submit(FramePair(pair.previous, pair.current))


def _pairing(values: Mapping[str, Any]) -> tuple[int, float, float]:
    return values["stride"], values["min_dt"], values["max_dt"]


class SynchronizedInput:
    """Pairs two cameras by stamp; hands each pair to `submit`."""

    def __init__(
        self,
        node: Node,
        values: Mapping[str, Any],
        journal: Journal,
        submit: Callable[[FramePair], None],
    ) -> None:
        self._journal = journal
        self._submit = submit
        self._synchronizer = self._new_synchronizer(values)
        self._guards = tuple(OrderGuard(journal.event) for _side in range(2))
        left = ImageTopic(node, "left/image", values, journal, lambda f, _s: self._push(0, f))
        right = ImageTopic(node, "right/image", values, journal, lambda f, _s: self._push(1, f))
        self.topics = (left, right)

    def reconfigure(self, values: Mapping[str, Any]) -> None:
        """Take over changed parameters; the queues start anew where they concern them."""
        for topic in self.topics:
            topic.reconfigure(values)
        if _synchronization(values) != self._settings:
            pairs = self._synchronizer.pairs
            self._synchronizer = self._new_synchronizer(values)
            self._synchronizer.pairs = pairs

    def _new_synchronizer(self, values: Mapping[str, Any]) -> Synchronizer:
        self._settings = _synchronization(values)
        return Synchronizer(*self._settings, self._emit)

    def clear(self) -> None:
        """Forget the images that wait for a partner, and all stamps."""
        self._synchronizer.clear()
        for guard in self._guards:
            guard.clear()

    def counts(self) -> dict[str, int]:
        """The counters of both sides together, and the pairs."""
        left, right = (guard.counts() for guard in self._guards)
        counts = {name: left[name] + right[name] for name in left}
        return {**counts, "paired": self._synchronizer.pairs, "started": 0}

    def _push(self, side: int, frame: Frame) -> None:
        verdict = self._guards[side].see(frame.stamp)
        if verdict == "jumped":  # both cameras start anew, whichever came first
            self._guards[1 - side].clear()
            self._synchronizer.clear()
        if verdict != "dropped":
            self._synchronizer.push(side, frame)

    def _emit(self, left: Frame, right: Frame) -> None:
        self._submit(FramePair(left, right))


def _synchronization(values: Mapping[str, Any]) -> tuple[float, int]:
    return values["slop"], values["sync_queue_size"]
