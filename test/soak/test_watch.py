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

"""What a soak would complain of: each check sees what it is there for."""

from __future__ import annotations

import numpy as np
import pytest

from zeroco_ros.soak.report import SoakReport
from zeroco_ros.soak.steps import Picture
from zeroco_ros.soak.subject import DEPTH, FLOW
from zeroco_ros.soak.watch import Books, Limits, Memory, Outputs, Violation

GOOD = np.zeros((2, 3, 2), np.float32)
ENDS = ("out", "dropped", "refused")


def picture(number: int, stamp: int, epoch: int = 0, broken: str = "") -> Picture:
    return Picture(number, stamp, (2, 3), "rgb8", epoch, broken=broken)


def outputs(*pictures: Picture) -> Outputs:
    watch = Outputs()
    for one in pictures:
        watch.sent(one)
    return watch


def test_good_results_are_not_complained_of() -> None:
    sent = [picture(0, 10), picture(1, 20), picture(2, 5, epoch=1), picture(3, 5, epoch=1)]
    watch = outputs(*sent)
    for one in sent:
        assert watch.faults("flow", one.stamp, one.frame_id, (2, 3), GOOD) == []
    assert watch.received == {"flow": 4}


@pytest.mark.parametrize(
    ("stamp", "frame_id", "size", "told"),
    [
        (20, "eye_9", (2, 3), "not sent lately"),
        (21, "eye_1", (2, 3), "stamp 21, the image's is 20"),
        (20, "eye_1", (3, 2), "size"),
        (30, "eye_2", (2, 3), "an image that is broken (giant)"),
        (10, "eye_0", (2, 3), "after the result of eye_0"),
        (5, "eye_3", (2, 3), "older than 10 before it"),
    ],
)
def test_a_wrong_header_is_seen(
    stamp: int, frame_id: str, size: tuple[int, int], told: str
) -> None:
    watch = outputs(picture(0, 10), picture(1, 20), picture(2, 30, broken="giant"), picture(3, 5))
    assert watch.faults("flow", 10, "eye_0", (2, 3), GOOD) == []
    (fault,) = watch.faults("flow", stamp, frame_id, size, GOOD)
    assert told in fault


@pytest.mark.parametrize(
    ("output", "value", "fine"),
    [
        ("flow", np.nan, False),
        ("flow", -1e9, True),
        ("confidence", 1.01, False),
        ("confidence", 1.0, True),
        ("depth", np.nan, True),
        ("depth", np.inf, False),
        ("depth_sigma", -0.1, False),
    ],
)
def test_values_that_must_not_be_are_seen(output: str, value: float, fine: bool) -> None:
    pixels = GOOD.copy()
    pixels[1, 1, 0] = value
    faults = outputs(picture(0, 10)).faults(output, 10, "eye_0", (2, 3), pixels)
    assert (faults == []) is fine


def books(sent: int, broken: int = 0) -> Books:
    account = Books(FLOW, ("in", *ENDS), ENDS)
    for number in range(sent):
        account.sent(picture(number, number, broken="float" if number < broken else ""))
    return account


def counts(taken: int, out: int = 0, dropped: int = 0, refused: int = 0) -> dict[str, int]:
    return {"in": taken, "out": out, "dropped": dropped, "refused": refused}


def test_counters_that_add_up_settle() -> None:
    account = books(10, broken=2)
    assert account.faults(counts(7, 3, 1, 1), queue=1) == []
    assert account.faults(counts(10, 5, 3, 2), queue=0) == []
    assert account.settled(counts(10, 5, 3, 2), waiting=0)


@pytest.mark.parametrize(
    ("after", "waiting"),
    [
        (counts(9, 5, 2, 2), 0),  # one did not come
        (counts(10, 5, 2, 2), 0),  # one has no end
        (counts(10, 5, 2, 2), 1),  # one is still there
        (counts(10, 6, 3, 1), 0),  # one that is broken was taken
    ],
)
def test_an_image_that_is_missing_does_not_settle(after: dict[str, int], waiting: int) -> None:
    assert not books(10, broken=2).settled(after, waiting)


@pytest.mark.parametrize(
    ("after", "queue", "told"),
    [
        (counts(10, 4, 3), 0, "3 images are unaccounted for"),
        (counts(10, 6, 5), 0, "-1 images are unaccounted for"),
        (counts(13, 9, 4), 0, "13 images counted, 12 sent"),
        (counts(9, 4, 4), 2, "queue is 2"),
        (counts(9, 4, 2, 3), 1, "3 images refused, 2 broken ones sent"),
        (counts(7, 4, 2), 0, "counter in fell from 8 to 7"),
    ],
)
def test_counters_that_cannot_be_are_seen_at_once(
    after: dict[str, int], queue: int, told: str
) -> None:
    account = books(12, broken=2)
    assert account.faults(counts(8, 4, 2), queue=0) == []
    assert any(told in fault for fault in account.faults(after, queue))


def test_depth_may_hold_images_that_wait_for_their_pose() -> None:
    account = Books(DEPTH, ("in", *ENDS), ENDS)
    for number in range(40):
        account.sent(picture(number, number))
    assert account.faults(counts(34), queue=1) == []
    assert account.faults(counts(40), queue=1) != []


def test_memory_that_grows_is_seen_and_that_of_the_start_is_not() -> None:
    limits = Limits(growth=20.0, slope=10.0, warm_up=0.2, enough=50)
    sent = np.arange(0, 20_000, 100)
    flat, rising = Memory(), Memory()
    for count in sent:
        start = min(count, 3000) / 30  # 100 MB while it warms up
        flat.samples.append((int(count), 300 + start + (count // 100) % 7))
        rising.samples.append((int(count), 300 + start + 0.004 * count))
    assert flat.faults(limits) == []
    (fault,) = rising.faults(limits)
    assert "memory grew by" in fault
    assert rising.summary(limits)["slope_mb_per_10000"] == pytest.approx(40, rel=0.05)
    short = Memory(rising.samples[:30])
    assert short.faults(limits) == []
    assert Memory().summary(limits) == {}


def report(*violations: Violation) -> SoakReport:
    return SoakReport(
        node="flow_node",
        seed=7,
        frames=500,
        sent=321,
        taken=300,
        camera_infos=0,
        steps=400,
        traffic_sha256="0" * 64,
        seconds=10.0,
        parameters={},
        size=(96, 128),
        acts={},
        counters={"out": 50},
        results={},
        memory={"warm_mb": 300.0, "end_mb": 301.0},
        diagnostics={},
        node_facts={},
        exit_code=0,
        violations=violations,
    )


def test_the_verdict_names_the_step_and_how_to_come_by_it_again() -> None:
    assert report().verdict() == (
        "flow_node, seed 7: 321 images in 10 s: all held; 50 results, memory 300 to 301 MB"
    )
    found = report(Violation(399, "garbage", "queue is 2"), Violation(400, "garbage", "more"))
    assert not found.held
    assert "VIOLATED at step 399 (garbage): queue is 2 (and 1 more)" in found.verdict()
    assert found.verdict().endswith("zeroco soak --node flow_node --seed 7 --frames 321")
