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

"""Bags on a Ray cluster that is there already; none is started here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import os
from pathlib import Path
from typing import Any

from zeroco_ros.errors import BackendError
from zeroco_ros.replay.job import Part
from zeroco_ros.replay.work import load_part, Order, told, work

Say = Callable[[str], None]

MISSING = (
    "Ray cannot be imported ({reason}): install it with `pip install 'zeroco_ros[ray]'`, or use "
    "--engine local"
)
NO_CLUSTER = (
    "no Ray cluster at {address} ({reason}): start one with `ray start --head`, name it with "
    "--address or RAY_ADDRESS, or use --engine local"
)
SHARED = (
    "its part is not in the output folder: the bags and the folder must be at the same paths on "
    "all machines of the cluster"
)


def on_ray(orders: Sequence[Order], address: str | None, say: Say) -> dict[str, Part]:
    """
    Return the parts by name.

    address: host:port, None for RAY_ADDRESS or the cluster that this machine is part of. Every
    worker's Python must have this package; bags and output folder must be at the same paths there.
    Raises BackendError where Ray or the cluster is not there.
    """
    ray = _ray()
    address = address or os.environ.get("RAY_ADDRESS") or "auto"
    _connect(ray, address)
    try:
        # Once more where a worker dies; what the bag itself does wrong comes back as a part.
        remote = ray.remote(max_retries=1)(_work_in)
        pending = {}
        for order in orders:
            threads = max(int(values["threads"]) for values in order.job.values.values())
            task = remote.options(num_cpus=max(1, threads), name=f"zeroco replay {order.job.name}")
            pending[task.remote(order, str(Path.cwd()))] = order
        return _collected(ray, pending, say)
    finally:
        ray.shutdown()


def _work_in(order: Order, folder: str) -> str:
    """Work where the command was started: paths may be relative to it."""
    os.chdir(folder)
    return work(order)


def _collected(ray: Any, pending: dict[Any, Order], say: Say) -> dict[str, Part]:
    parts: dict[str, Part] = {}
    while pending:
        (done,), _ = ray.wait(list(pending), num_returns=1)
        order = pending.pop(done)
        parts[order.job.name] = _result(ray, done, order)
        say(told(parts[order.job.name]))
    return parts


def _result(ray: Any, done: Any, order: Order) -> Part:
    try:
        ray.get(done)
    except ray.exceptions.RayError as error:
        line = " ".join(str(error).split())[-300:]
        return load_part(order, f"its Ray worker failed: {line}")
    return load_part(order, SHARED)


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise BackendError(MISSING.format(reason=error)) from error
    return ray


def _connect(ray: Any, address: str) -> None:
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        line = " ".join(str(error).split())
        raise BackendError(NO_CLUSTER.format(address=address, reason=line)) from error
