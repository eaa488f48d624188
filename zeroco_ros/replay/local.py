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

"""Bags in this process, one after the other, or in processes of their own, several at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import multiprocessing
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any

from tqdm import tqdm

from zeroco_ros.replay.bag_run import Models
from zeroco_ros.replay.job import Part
from zeroco_ros.replay.work import load_part, Order, told, work, work_alone

Say = Callable[[str], None]


def in_this_process(orders: Sequence[Order], say: Say, progress: bool = True) -> dict[str, Part]:
    """Return the parts by name; the networks are opened once. One bag alone raises its errors."""
    models, parts = Models(), {}
    do = work if len(orders) > 1 else work_alone
    for order in orders:
        hidden = None if progress else True  # None: no bar where stderr is no terminal
        with tqdm(desc=order.job.name, unit="frame", disable=hidden, leave=False) as bar:

            def show(done: int, total: int, bar: Any = bar) -> None:
                bar.total = total
                bar.update(done - bar.n)

            do(order, models, show)
        parts[order.job.name] = load_part(order, "nothing was written")
        say(told(parts[order.job.name]))
    return parts


def in_processes(
    orders: Sequence[Order], jobs: int, say: Say, target: Callable[[Order], object] = work
) -> dict[str, Part]:
    """
    Return the parts by name.

    Each bag has a process of its own: one that dies takes no other along. target: what it runs.
    """
    context: Any = multiprocessing.get_context("spawn")
    waiting, parts = list(orders), dict[str, Part]()
    running: dict[Any, tuple[BaseProcess, Order]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                order = waiting.pop(0)
                process = context.Process(target=target, args=(order,), name=order.job.name)
                process.start()
                running[process.sentinel] = process, order
            for sentinel in wait(list(running)):
                process, order = running.pop(sentinel)
                parts[order.job.name] = _ended(process, order)
                say(told(parts[order.job.name]))
    finally:
        for process, _ in running.values():
            process.terminate()
            process.join()
    return parts


def _ended(process: BaseProcess, order: Order) -> Part:
    process.join()
    code = process.exitcode
    reason = f"was ended by signal {-code}" if code and code < 0 else f"ended with code {code}"
    return load_part(order, f"its process {reason} before it was done")
