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

"""The traffic of a soak: the same from the same seed, as hostile as it claims, and honest."""

from __future__ import annotations

from itertools import pairwise

import pytest

from zeroco_ros.soak.acts import ACTS, BROKEN
from zeroco_ros.soak.pictures import ENCODINGS, laid_out, LOOKS, Painter
from zeroco_ros.soak.steps import Audience, Picture, SECOND, Setting, Settle, Step, Transition
from zeroco_ros.soak.subject import Subject, SUBJECTS
from zeroco_ros.soak.traffic import Traffic
from zeroco_ros.stream.pairing import LATE_NS

NODES = pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)
LONG = 4000


def steps(subject: Subject, count: int, seed: int = 3) -> list[tuple[str, Step]]:
    return list(Traffic(subject, seed).frames(count))


def pictures(subject: Subject, count: int = LONG) -> list[Picture]:
    return [step for _, step in steps(subject, count) if isinstance(step, Picture)]


@NODES
def test_the_same_seed_sends_the_same_and_fewer_images_are_its_beginning(subject: Subject) -> None:
    long = steps(subject, 900)
    assert steps(subject, 900) == long
    assert steps(subject, 900, seed=4) != long
    short = steps(subject, 300)
    assert short[:-1] == long[: len(short) - 1]
    assert short[-1][1] == Settle()
    assert sum(isinstance(step, Picture) for _, step in short) == 300


@NODES
def test_everything_that_is_promised_comes(subject: Subject) -> None:
    played = {act for act, _ in steps(subject, LONG)} - {"start"}
    assert played == set(ACTS) - (set() if subject.calibrated else {"calibrations"})
    sent = pictures(subject)
    assert {picture.broken for picture in sent} == {"", *BROKEN}
    assert {picture.look for picture in sent} == set(LOOKS)
    assert {picture.encoding for picture in sent} == set(ENCODINGS)
    assert len({picture.size for picture in sent}) > 5
    wanted = [step for _, step in steps(subject, LONG) if isinstance(step, Setting)]
    assert {step.name for step in wanted if step.allowed} == set(subject.live)
    assert {(step.name, str(step.value)) for step in wanted if not step.allowed} == {
        (name, str(value)) for name, value in subject.nonsense
    }


@NODES
def test_images_are_numbered_and_stamps_fall_only_where_it_is_said(subject: Subject) -> None:
    sent = pictures(subject)
    assert [picture.number for picture in sent] == list(range(LONG))
    assert all(0 <= picture.stamp < 2**31 * SECOND for picture in sent)
    newest = 0
    for before, picture in pairwise(sent):
        newest = picture.stamp if picture.epoch != before.epoch else newest
        assert newest - picture.stamp < LATE_NS  # a late frame, or the clock has lost its time
        newest = max(newest, picture.stamp)
    assert sent[-1].epoch > 20


@NODES
def test_nothing_is_under_way_when_the_node_stops_listening(subject: Subject) -> None:
    """Else no one could say how many images it must have counted."""
    everything = [step for _, step in steps(subject, LONG)]
    leaves = (Audience(()), Transition("deactivate", True))
    checked = 0
    for index, step in enumerate(everything):
        if (isinstance(step, Audience) and index) or step in leaves:
            before = everything[index - 1 :: -1]
            quiet = next(s for s in before if isinstance(s, Picture | Settle))
            assert quiet == Settle()
            checked += 1
    assert checked > 10


@NODES
def test_parameters_go_back_to_where_they_were(subject: Subject) -> None:
    values = {name: some[0] for name, some in subject.live.items()}
    for (_, before), (act, step) in pairwise(steps(subject, LONG)):
        if isinstance(before, Setting) and before.allowed:
            values[before.name] = before.value
        if act != "settings" and not isinstance(step, Settle):
            assert values == {name: some[0] for name, some in subject.live.items()}


def test_pictures_move_and_have_every_layout() -> None:
    painter = Painter(1)
    first, second = (painter.paint(number, (48, 64), "texture") for number in (0, 1))
    assert (first[:, 3:] == second[:, :-3]).all()
    assert (painter.paint(5, (48, 64), "still") == painter.paint(9, (48, 64), "still")).all()
    assert (painter.paint(0, (48, 64), "half")[:, 32:] == 255).all()
    for encoding in ENCODINGS:
        assert laid_out(first, encoding).shape[:2] == (48, 64)
    with pytest.raises(KeyError):
        laid_out(first, "rgb16")
