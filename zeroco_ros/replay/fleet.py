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

"""A run over one bag or a fleet's: what is done already is kept, a bag that fails is not fatal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
import time

from zeroco_ros.errors import ConfigError, ZerocoError
from zeroco_ros.replay.job import (
    bag_hash,
    BAGS,
    failed,
    FRAMES,
    Job,
    job_key,
    Part,
    unique_names,
    Values,
    weights_hashes,
)
from zeroco_ros.replay.local import in_processes, in_this_process
from zeroco_ros.replay.merge import Execution, merge
from zeroco_ros.replay.record import METRICS, ReplayRun, TIMING
from zeroco_ros.replay.typed_json import read_json
from zeroco_ros.replay.work import Order, save_part

Say = Callable[[str], None]
REPORT = "report.html"


@dataclass(frozen=True)
class RunOptions:
    """
    What is run, and how.

    bags, out: as given. values: the parameters of each task's node, in the order of the tasks.
    engine: "local" or "ray"; jobs: bags at once; address: of the Ray cluster, None finds it.
    force: do again what is done already. The rest as in `Job`; files, argv: for the record.
    """

    bags: tuple[Path, ...]
    out: Path
    values: dict[str, Values]
    topic: str | None = None
    info: str | None = None
    poses: str | None = None
    right: str | None = None
    reference: tuple[str, ...] = ()
    rate: float = 0.0
    keep: bool = True
    engine: str = "local"
    jobs: int = 1
    address: str | None = None
    force: bool = False
    files: tuple[Path, ...] = ()
    argv: tuple[str, ...] = ()


def run(options: RunOptions, say: Say, progress: bool = True) -> ReplayRun:
    """
    Replay all bags, merge, and save the record in `options.out`; returns it.

    say: called with a line per bag. With one bag, what is wrong with it is raised; with more it is
    in the record. Raises ConfigError for options that do not go together, BackendError where
    there is no Ray, WeightsError for a missing model.
    """
    began = time.perf_counter()
    jobs = _jobs(options)
    out = options.out
    try:
        (out / FRAMES).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot write to {out}: {error.strerror or error}") from error
    for name in (METRICS, TIMING, REPORT):  # of an earlier run; a broken one must not look whole
        (out / name).unlink(missing_ok=True)
    weights = weights_hashes(options.values)
    orders, parts = _planned(jobs, weights, options, say)
    reused = frozenset(parts)
    parts |= _executed(orders, options, say, progress)
    ordered = [parts[job.name] for job in jobs]
    if len(ordered) == 1 and ordered[0].record.status != "ok":
        raise ConfigError(str(ordered[0].record.error))
    wall = time.perf_counter() - began
    workers = min(options.jobs, max(1, len(orders)))
    execution = Execution(options.engine, workers, wall, options.argv, reused)
    merged = merge(jobs, ordered, execution, options.files)
    merged.save(out)
    return merged


def _jobs(options: RunOptions) -> list[Job]:
    names = unique_names(options.bags)
    written = (options.out / BAGS).resolve()
    for path in options.bags:
        if written in (path.resolve(), *path.resolve().parents):
            raise ConfigError(
                f"{path} is where results are written to ({written}): give another folder with -o"
            )
    return [
        Job(
            path,
            name,
            options.out,
            options.values,
            options.topic,
            options.info,
            options.poses,
            options.right,
            options.reference,
            options.rate,
            options.keep,
        )
        for path, name in zip(options.bags, names, strict=True)
    ]


def _planned(
    jobs: Sequence[Job], weights: dict[str, str], options: RunOptions, say: Say
) -> tuple[list[Order], dict[str, Part]]:
    """Return what is to be done, and by name what is there already or cannot be read at all."""
    orders: list[Order] = []
    parts: dict[str, Part] = {}
    for job in jobs:
        try:
            sha256 = bag_hash(job.path)
        except ZerocoError as error:
            if len(jobs) == 1:
                raise
            parts[job.name] = failed(job, error)
            say(f"{job.name}: failed: {parts[job.name].record.error}")
            continue
        key = job_key(job, sha256, weights)
        done = None if options.force else _done(job, key)
        if done is not None:
            parts[job.name] = done
            say(f"{job.name}: kept from the run before")
        else:
            orders.append(Order(job, key, sha256))
    return orders, parts


def _done(job: Job, key: str) -> Part | None:
    """Give part of an earlier run, if nothing that it depends on has changed and all is there."""
    try:
        part = read_json(job.part, Part)
    except ConfigError:
        return None
    whole = part.record.folder is None or (job.out / part.record.folder).is_dir()
    pictures = all((job.out / worst.picture).is_file() for worst in part.record.worst)
    return part if part.key == key and part.record.status == "ok" and whole and pictures else None


def _executed(
    orders: Sequence[Order], options: RunOptions, say: Say, progress: bool
) -> dict[str, Part]:
    for order in orders:
        order.job.part.unlink(missing_ok=True)
    if options.engine == "ray":
        from zeroco_ros.replay.on_ray import on_ray

        found = on_ray(orders, options.address, say)
    elif options.jobs > 1 and len(orders) > 1:
        found = in_processes(orders, options.jobs, say)
    else:
        found = in_this_process(orders, say, progress)
    for part in found.values():
        if part.record.status != "ok":
            order = next(o for o in orders if o.job.name == part.record.name)
            save_part(order.job, part)
    return found
