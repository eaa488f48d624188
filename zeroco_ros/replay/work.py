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

"""The work of one process: a bag replayed, its part written where the run looks for it."""

from __future__ import annotations

from dataclasses import dataclass

from zeroco_ros.errors import BackendError
from zeroco_ros.replay.bag_run import Models, Progress, replay_bag
from zeroco_ros.replay.job import failed, Job, Part
from zeroco_ros.replay.typed_json import read_json, write_json


@dataclass(frozen=True)
class Order:
    """A job that is to be done. key: what its result depends on; sha256: of the bag."""

    job: Job
    key: str
    sha256: str


def work(order: Order, models: Models | None = None, progress: Progress | None = None) -> str:
    """
    Replay a bag and write its part, a failed one too; returns its status.

    Nothing that a bag does wrong leaves; an interruption does.
    """
    try:
        return work_alone(order, models, progress)
    except Exception as error:  # one bag of many: its record says what happened
        save_part(order.job, failed(order.job, error, order.sha256))
        return "failed"


def work_alone(
    order: Order, models: Models | None = None, progress: Progress | None = None
) -> str:
    """Replay a bag and write its part. Raises what goes wrong."""
    part = replay_bag(order.job, models or Models(), order.key, order.sha256, progress)
    save_part(order.job, part)
    return part.record.status


def save_part(job: Job, part: Part) -> None:
    """Write the part of a job."""
    write_json(job.part, part)


def load_part(order: Order, otherwise: str) -> Part:
    """Return the part that a process wrote, or a failed one that says `otherwise`."""
    if not order.job.part.is_file():
        return failed(order.job, BackendError(otherwise), order.sha256)
    return read_json(order.job.part, Part)


def told(part: Part) -> str:
    """Return one line about a bag that is done."""
    record = part.record
    if record.status != "ok":
        return f"{record.name}: failed: {record.error}"
    frames = len(record.frames.stamp)
    rate = frames / part.seconds if part.seconds else 0.0
    return f"{record.name}: {frames} frames in {part.seconds:.1f} s, {rate:.1f} per second"
