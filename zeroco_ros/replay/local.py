"""Bags in this process, one after the other, or in processes of their own, several at once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any

from tqdm import tqdm

from zeroco_ros.replay.bag_run import Models
from zeroco_ros.replay.job import Part
from zeroco_ros.replay.work import Order, load_part, told, work, work_alone

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
    """Return the parts by name.

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
