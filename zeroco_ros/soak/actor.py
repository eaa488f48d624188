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

"""The steps of a soak, done: to a node through its topics and services."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import time

from zeroco_ros.soak import messages
from zeroco_ros.soak.live import Broken, Live
from zeroco_ros.soak.pictures import Painter
from zeroco_ros.soak.steps import (
    Audience,
    Calibration,
    Misfit,
    Pause,
    Picture,
    Setting,
    Settle,
    SlowConsumer,
    Step,
    Transition,
)
from zeroco_ros.soak.watch import Books, Outputs

WINDOW = 200  # images under way at most: the topics keep live.DEPTH
PACE = 1 / 150  # seconds between images, outside of a burst


@dataclass(frozen=True)
class Patience:
    """Seconds for whatever the node has to do. start: for loading its model."""

    usual: float
    start: float


class Actor:
    """
    Does steps and keeps the books. sent, infos: images and camera_infos so far.

    violate: called with what the node should not have done.
    """

    def __init__(
        self,
        live: Live,
        books: Books,
        outputs: Outputs,
        seed: int,
        size: tuple[int, int],
        patience: Patience,
    ) -> None:
        self._live, self._books, self._outputs = live, books, outputs
        self._painter = Painter(seed)
        self._size, self._patience = size, patience
        self._active = True
        self._audience: tuple[str, ...] = ()
        self.sent = self.infos = 0
        self.violate: Callable[[str], None] = lambda _what: None

    def do(self, step: Step, quick: bool = False) -> None:
        """Do one step; quick: without a pause after an image. Raises Broken."""
        match step:
            case Picture():
                self._show(step, quick)
            case Calibration(kind):
                self.infos += 1
                self._live.info.publish(messages.camera_info(kind, self._size))
                self._live.spin()
            case Setting():
                self._set(step)
            case Transition():
                self._ask_for(step)
            case Audience(outputs):
                self._gather(outputs)
            case SlowConsumer(there):
                self._live.slow_consumer(self._topic(self._books.subject.outputs[0]), there)
            case Misfit(there):
                self._live.misfit(there)
            case Pause(seconds):
                self._live.spin(seconds)
            case Settle():
                self._settle()

    def _show(self, picture: Picture, quick: bool) -> None:
        self._outputs.sent(picture)
        self.sent += 1
        if self._listening:
            self._books.sent(picture)
        self._live.camera.publish(messages.image(picture, self._painter))
        self._live.spin(0.0 if quick else PACE)
        self._live.check()
        under_way = lambda: self._books.expected - int(self._live.told["in"])  # noqa: E731
        if under_way() >= WINDOW:
            self._live.wait(
                lambda: under_way() < WINDOW, "images to be taken", self._patience.usual
            )

    @property
    def _listening(self) -> bool:
        """Whether the node must be subscribed to its camera."""
        return self._active and bool(self._audience)

    def _topic(self, output: str) -> str:
        return f"{self._live.path}/{output}"

    def _set(self, step: Setting) -> None:
        taken, reason = self._live.set_parameter(step.name, step.value, self._patience.usual)
        if taken != step.allowed:
            verb = "refused" if step.allowed else "took"
            self.violate(f"the node {verb} {step.name} = {step.value!r}: {reason}")

    def _ask_for(self, step: Transition) -> None:
        done = self._live.transition(step.label, self._patience.start)
        if done != step.allowed:
            verb = "refused" if step.allowed else "did"
            self.violate(f"the node {verb} the transition {step.label}")
        elif done:
            self._active = step.label == "activate"
            self._wait_for_subscriptions()

    def _gather(self, outputs: tuple[str, ...]) -> None:
        self._audience = outputs
        self._live.listen(outputs, self._topic)
        self._wait_for_subscriptions()

    def _wait_for_subscriptions(self) -> None:
        """Until the node listens to its camera, or does not, as it must."""
        wanted = int(self._listening)
        topics = [self._live.camera] + [self._live.info] * self._books.subject.calibrated
        listened = ", ".join(sorted(self._audience))

        def there() -> bool:
            if any(topic.get_subscription_count() != wanted for topic in topics):
                return False
            told = self._live.told
            return not self._active or told.get("subscribed outputs") == listened

        verb = "listen" if wanted else "listen no more"
        self._live.wait(there, f"the node to {verb}", self._patience.usual)

    def _settle(self) -> None:
        moment = time.monotonic()
        counts: dict[str, int] = {}

        def settled() -> bool:
            nonlocal counts
            if not self._live.report_after(moment):
                return False
            counts = {name: int(self._live.told[name]) for name in self._books.counters}
            return self._books.settled(counts, int(self._live.told["waiting"]))

        try:
            self._live.wait(settled, "the counters to add up", self._patience.usual)
        except Broken as error:
            waiting = self._live.told.get("waiting", "?")
            raise Broken(f"{error}: {self._books.told(counts)}, waiting {waiting}") from error
