"""Hostile traffic from a seed: what a bad day brings, act after act. No ROS in here.

The same seed gives the same steps; those of fewer images are the beginning of those of more, so
that `zeroco soak --seed S --frames N` comes by the step that failed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle

import numpy as np

from zeroco_ros.soak.pictures import ENCODINGS, LOOKS
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
from zeroco_ros.soak.subject import Subject

SECOND = 1_000_000_000
BASE = 1_000 * SECOND
YEAR = 365 * 24 * 3600 * SECOND
# How an image cannot be used; `messages.BREAK` says what is done to it.
BROKEN = (
    "encoding",
    "no encoding",
    "float",
    "short step",
    "long step",
    "too many rows",
    "cut off",
    "no data",
    "no pixels",
    "giant",
)
ACTS_BETWEEN_SETTLING = 6

Act = Callable[["Traffic"], Iterator[Step]]


class Traffic:
    """Steps without end; `frames` cuts them off after so many images.

    size: (height, width) of most images.
    """

    def __init__(self, subject: Subject, seed: int, size: tuple[int, int] = (96, 128)) -> None:
        self.subject = subject
        self.random = np.random.default_rng(seed)
        self.size = size
        self.encoding = "rgb8"
        self.now = BASE
        self.epoch = self.number = 0
        self.audience: tuple[str, ...] = subject.outputs
        self._order = self._acts()

    def frames(self, count: int) -> Iterator[tuple[str, Step]]:
        """Yield (name of the act, step) until `count` images were among them, then a Settle."""
        yield "start", Audience(self.audience)
        yield "start", Calibration("good")
        for index in range(2**62):
            name, act = next(self._order)
            for step in act(self):
                yield name, step
                if self.number >= count:
                    yield name, Settle()
                    return
            if index % ACTS_BETWEEN_SETTLING == ACTS_BETWEEN_SETTLING - 1:
                yield name, Settle()

    def _acts(self) -> Iterator[tuple[str, Act]]:
        """Yield every act once in a random order, then in another one, and so on."""
        acts = [(name, act) for name, act in ACTS.items() if self._fits(name)]
        while True:
            for index in self.random.permutation(len(acts)):
                yield acts[index]

    def _fits(self, name: str) -> bool:
        return name != "calibrations" or self.subject.calibrated

    def below(self, limit: int, start: int = 0) -> int:
        """Return a random whole number from `start` to `limit` - 1."""
        return int(self.random.integers(start, limit))

    def wait(self, least: int = 30, most: int = 100) -> None:
        """Let the camera's clock go on by milliseconds."""
        self.now += self.below(most, least) * SECOND // 1000

    def jump_back(self, nanoseconds: int) -> None:
        """Let the camera's clock go back."""
        self.now = max(self.now - nanoseconds, SECOND)
        self.epoch += 1

    def picture(
        self,
        *,
        late: int = 0,
        size: tuple[int, int] | None = None,
        encoding: str | None = None,
        look: str = "texture",
        broken: str = "",
        stamp: int | None = None,
    ) -> Picture:
        """Return the next image. late: ns that it is older than the camera's clock."""
        self.number += 1
        return Picture(
            number=self.number - 1,
            stamp=self.now - late if stamp is None else stamp,
            size=size or self.size,
            encoding=encoding or self.encoding,
            epoch=self.epoch,
            look=look,
            broken=broken,
        )


def _steady(traffic: Traffic) -> Iterator[Step]:
    """A good camera, at last."""
    for _ in range(traffic.below(100, 20)):
        traffic.wait()
        yield traffic.picture()


def _burst(traffic: Traffic) -> Iterator[Step]:
    """More images than any node has time for; then none."""
    for _ in range(traffic.below(160, 60)):
        traffic.wait(1, 10)
        yield traffic.picture()
    yield Pause(0.2)


def _gaps(traffic: Traffic) -> Iterator[Step]:
    """Pauses longer than max_dt, between them a few images or none."""
    for _ in range(traffic.below(16, 4)):
        traffic.now += traffic.below(4000, 1001) * SECOND // 1000
        for _ in range(traffic.below(4, 1)):
            traffic.wait()
            yield traffic.picture()


def _leaps(traffic: Traffic) -> Iterator[Step]:
    """The clock leaps ahead, by up to a year."""
    for _ in range(3):
        traffic.now += traffic.below(YEAR // SECOND) * SECOND
        for _ in range(traffic.below(5, 1)):
            traffic.wait()
            yield traffic.picture()
    traffic.jump_back(traffic.now - BASE)  # stamps have 32 bits of seconds
    yield traffic.picture()


def _duplicates(traffic: Traffic) -> Iterator[Step]:
    """Every image once, twice or three times."""
    for _ in range(traffic.below(25, 8)):
        traffic.wait()
        for _ in range(traffic.below(4, 1)):
            yield traffic.picture()


def _late(traffic: Traffic) -> Iterator[Step]:
    """Single images that come after a newer one."""
    for _ in range(traffic.below(20, 6)):
        for _ in range(2):
            traffic.wait(60, 100)
            yield traffic.picture()
        yield traffic.picture(late=traffic.below(190, 1) * SECOND // 1000)


def _loops(traffic: Traffic) -> Iterator[Step]:
    """A bag that begins again and again."""
    for _ in range(traffic.below(7, 2)):
        start = traffic.now
        for _ in range(traffic.below(12, 1)):
            traffic.wait()
            yield traffic.picture()
        traffic.jump_back(traffic.now - start + traffic.below(20, 1) * SECOND)
    yield traffic.picture()


def _zero_stamps(traffic: Traffic) -> Iterator[Step]:
    """The camera loses its clock and finds it again."""
    traffic.epoch += 1
    for _ in range(traffic.below(10, 2)):
        yield traffic.picture(stamp=0)
    traffic.wait()
    yield traffic.picture()


def _sizes(traffic: Traffic) -> Iterator[Step]:
    """Another resolution every few images; some are of another aspect."""
    height, width = traffic.size
    sizes = [(height // 2, width // 2), (2 * height, 2 * width), (height * 3 // 2, width * 3 // 2)]
    sizes += [(width, height), (height + 7, width + 5), (height, width), (33, 200)]
    for index in traffic.random.permutation(len(sizes)):
        for _ in range(traffic.below(5, 1)):
            traffic.wait()
            yield traffic.picture(size=sizes[index], encoding="rgb8")
    traffic.wait()
    yield traffic.picture()


def _encodings(traffic: Traffic) -> Iterator[Step]:
    """Every encoding in turn; the last one stays."""
    for index in traffic.random.permutation(len(ENCODINGS)):
        traffic.wait()
        traffic.encoding = ENCODINGS[index]
        yield traffic.picture()


def _garbage(traffic: Traffic) -> Iterator[Step]:
    """Images that are none, alone and among good ones."""
    for _ in range(traffic.below(40, 12)):
        traffic.wait()
        broken = BROKEN[traffic.below(len(BROKEN))] if traffic.below(3) else ""
        yield traffic.picture(broken=broken)


def _looks(traffic: Traffic) -> Iterator[Step]:
    """Night, sun, fog, noise and a camera that stands still."""
    for index in traffic.random.permutation(len(LOOKS)):
        for _ in range(traffic.below(5, 1)):
            traffic.wait()
            yield traffic.picture(look=LOOKS[index])


def _settings(traffic: Traffic) -> Iterator[Step]:
    """A storm of parameters, sense and nonsense, while images come."""
    subject = traffic.subject
    live, nonsense = list(subject.live), subject.nonsense
    for _ in range(traffic.below(40, 10)):
        if traffic.below(2):
            name = live[traffic.below(len(live))]
            values = subject.live[name]
            yield Setting(name, values[traffic.below(len(values))], True)
        else:
            yield Setting(*nonsense[traffic.below(len(nonsense))], False)
        if traffic.below(2):
            traffic.wait()
            yield traffic.picture()
    for name in live:
        yield Setting(name, subject.live[name][0], True)


def _audiences(traffic: Traffic) -> Iterator[Step]:
    """Subscribers come and go; without any the node must not listen."""
    outputs = traffic.subject.outputs
    for _ in range(traffic.below(4, 2)):
        wanted = tuple(name for name in outputs if traffic.below(2))
        yield from _before_an_audience(wanted)
        for _ in range(traffic.below(25, 4)):
            traffic.wait()
            yield traffic.picture()
    yield from _before_an_audience(outputs)


def _before_an_audience(outputs: tuple[str, ...]) -> Iterator[Step]:
    yield Settle()
    yield Audience(outputs)
    yield Calibration("good")


def _slow_consumer(traffic: Traffic) -> Iterator[Step]:
    """Somebody subscribes and does not take what comes."""
    yield SlowConsumer(True)
    for _ in range(traffic.below(80, 20)):
        traffic.wait()
        yield traffic.picture()
    yield SlowConsumer(False)


def _misfits(traffic: Traffic) -> Iterator[Step]:
    """A camera whose quality of service does not fit, beside the one that fits."""
    yield Misfit(True)
    for _ in range(traffic.below(8, 2)):
        traffic.wait()
        yield traffic.picture()
    yield Misfit(False)


def _lifecycle(traffic: Traffic) -> Iterator[Step]:
    """A storm of transitions, also such as do not exist; images that nobody takes between."""
    for _ in range(traffic.below(4, 1)):
        yield Settle()
        yield Transition("activate", False)
        yield Transition("deactivate", True)
        for _ in range(traffic.below(3)):
            traffic.wait()
            yield traffic.picture()
        if traffic.below(2):
            yield Transition("configure", False)
            yield Transition("cleanup", True)
            yield Transition("activate", False)
            yield Transition("configure", True)
        yield Transition("activate", True)
        yield Calibration("good")
        for _ in range(traffic.below(20, 2)):
            traffic.wait()
            yield traffic.picture()


def _calibrations(traffic: Traffic) -> Iterator[Step]:
    """Another camera, one without a focal length, a binned one; then the right one again."""
    kinds = cycle(("other", "zero", "binned", "good"))
    for _ in range(traffic.below(9, 4)):
        yield Calibration(next(kinds))
        for _ in range(traffic.below(4, 1)):
            traffic.wait()
            yield traffic.picture()
    yield Calibration("good")


ACTS: dict[str, Act] = {
    "steady": _steady,
    "burst": _burst,
    "gaps": _gaps,
    "leaps": _leaps,
    "duplicates": _duplicates,
    "late": _late,
    "loops": _loops,
    "zero stamps": _zero_stamps,
    "sizes": _sizes,
    "encodings": _encodings,
    "garbage": _garbage,
    "looks": _looks,
    "settings": _settings,
    "audiences": _audiences,
    "slow consumer": _slow_consumer,
    "misfits": _misfits,
    "lifecycle": _lifecycle,
    "calibrations": _calibrations,
}
