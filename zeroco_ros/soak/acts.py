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

"""What a bad day brings: each act asks `Traffic` for images and yields steps. No ROS in here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle
from typing import TYPE_CHECKING

from zeroco_ros.soak.pictures import ENCODINGS, LOOKS
from zeroco_ros.soak.steps import (
    Audience,
    Calibration,
    Misfit,
    Pause,
    SECOND,
    Setting,
    Settle,
    SlowConsumer,
    Step,
    Transition,
)

if TYPE_CHECKING:
    from zeroco_ros.soak.traffic import Traffic

Act = Callable[["Traffic"], Iterator[Step]]
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


def _steady(traffic: Traffic) -> Iterator[Step]:
    """Yield the steps of a good camera, at last."""
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
    """Let the clock leap ahead, by up to a year."""
    for _ in range(3):
        traffic.now += traffic.below(YEAR // SECOND) * SECOND
        for _ in range(traffic.below(5, 1)):
            traffic.wait()
            yield traffic.picture()
    traffic.start_over()  # stamps have 32 bits of seconds
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
    """Yield the steps of a bag that begins again and again."""
    for _ in range(traffic.below(7, 2)):
        start = traffic.now
        for _ in range(traffic.below(12, 1)):
            traffic.wait()
            yield traffic.picture()
        traffic.jump_back(traffic.now - start + traffic.below(20, 1) * SECOND)
    yield traffic.picture()


def _zero_stamps(traffic: Traffic) -> Iterator[Step]:
    """Let the camera lose its clock and find it again."""
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
    """Yield a storm of parameters, sense and nonsense, while images come."""
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
    """Let subscribers come and go; without any the node must not listen."""
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
    """Yield a camera whose quality of service does not fit, beside the one that fits."""
    yield Misfit(True)
    for _ in range(traffic.below(8, 2)):
        traffic.wait()
        yield traffic.picture()
    yield Misfit(False)


def _lifecycle(traffic: Traffic) -> Iterator[Step]:
    """
    Yield a storm of transitions, also such as do not exist.

    Images that nobody takes between.
    """
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
