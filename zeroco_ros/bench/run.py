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

"""Runs the sections of a plan, one after another, and keeps what came of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
import dataclasses
import datetime
from typing import Any

import cv2
import torch

from zeroco_ros.bench.agreement import agreement_section
from zeroco_ros.bench.backends import backends_section
from zeroco_ros.bench.machine import load, machine_facts
from zeroco_ros.bench.memory import memory_section
from zeroco_ros.bench.node import node_section
from zeroco_ros.bench.plan import Plan
from zeroco_ros.bench.record import BenchRecord, Section
from zeroco_ros.bench.scaling import scaling_section
from zeroco_ros.bench.stages import stages_section
from zeroco_ros.bench.step import step_section
from zeroco_ros.errors import BackendError

_RUN: Mapping[str, Callable[[Plan], Section]] = {
    "step": step_section,
    "agreement": agreement_section,
    "backends": backends_section,
    "stages": stages_section,
    "memory": memory_section,
    "scaling": scaling_section,
    "node": node_section,
}


def run_bench(plan: Plan, command: str) -> BenchRecord:
    """
    Run a plan. What cannot be run here (no rclpy) is skipped with the reason.

    Sets the CPU threads of PyTorch and OpenCV for this process.
    """
    torch.set_num_threads(plan.threads)
    cv2.setNumThreads(plan.threads)
    started = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    machine = machine_facts(plan.threads)
    sections: list[Section] = []
    skipped: dict[str, str] = {}
    for name in plan.sections:
        plan.say(f"{name} ...")
        try:
            sections.append(_RUN[name](plan))
        except BackendError as error:
            skipped[name] = str(error)
    machine["load average at the end"] = load()
    return BenchRecord(
        command=command,
        started=started,
        machine=machine,
        plan=_plain(plan),
        sections=tuple(sections),
        skipped=skipped,
    )


def _plain(plan: Plan) -> dict[str, Any]:
    values = {f.name: getattr(plan, f.name) for f in dataclasses.fields(plan) if f.name != "say"}
    return {**values, "engines": [str(folder) for folder in plan.engines]}
