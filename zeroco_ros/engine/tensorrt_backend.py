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

"""
A bundle in TensorRT: plans from the cache, or built, behind the same Protocol as ONNX Runtime.

Written for TensorRT 10.3 to 11.x. Not run on a GPU: its logic is tested with a stand-in of the
tensorrt module (test/engine/tensorrt_stand_in.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from zeroco_ros.engine import device as devices
from zeroco_ros.engine.build import (
    build_command,
    build_engine,
    BuildCancelled,
    BuildOptions,
    cached,
    ignore,
    never,
    NotBuilt,
    Plans,
)
from zeroco_ros.engine.build_progress import BuildProgress, Report
from zeroco_ros.engine.cache import PlanCache
from zeroco_ros.engine.graph_backend import GraphBackend
from zeroco_ros.engine.tensorrt_runner import buffer_bytes, PlanError, PlanRunner
from zeroco_ros.engine.verdicts import read_verdict, Verdict, write_verdict
from zeroco_ros.errors import BackendError

__all__ = [
    "BuildCancelled",
    "BuildOptions",
    "BuildProgress",
    "EngineRefused",
    "NotBuilt",
    "TensorRTBackend",
    "cached",
    "open_tensorrt",
]


class EngineRefused(BackendError):  # noqa: N818 - it names what was found
    """The parity gate found these plans wrong; they are not run."""


class TensorRTBackend(GraphBackend):
    """
    A bundle's plans on a GPU; see `GraphBackend`. Made by `open_tensorrt`.

    folder: of the bundle; plans: what runs, without contents; verdict: of the last parity check of
    exactly these plans, None where there was none; command: what builds them again.
    """

    def __init__(
        self, folder: Path, built: Plans, cache: PlanCache, device: devices.Device, command: str
    ) -> None:
        self.folder, self.command = folder, command
        self._cache = cache
        self.runners_by_name = {
            name: PlanRunner(name, plan.content, built.manifest.graphs[name], device)
            for name, plan in built.plans.items()
        }
        # The engines hold what they need; a Jetson's memory is one for CPU and GPU.
        self.plans = {k: replace(plan, content=b"") for k, plan in built.plans.items()}
        _check_memory(folder, list(self.runners_by_name.values()), device)
        self._warnings = list(built.warnings)
        self.verdict: Verdict | None = read_verdict(cache, self._hashes())
        super().__init__(built.manifest, self.runners_by_name, name="tensorrt", device="cuda")

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what does not stop anything but should be known, in words."""
        notes = [note for runner in self.runners_by_name.values() for note in runner.notes]
        return (*self._warnings, *notes)

    def record_verdict(self, passed: bool, faults: Sequence[str]) -> None:
        """
        Keep what the parity gate said of exactly these plans.

        Plans with faults are refused from then on; see `open_tensorrt`.
        """
        self.verdict = write_verdict(self._cache, self._hashes(), passed, tuple(faults))

    def close(self) -> None:
        """Free the GPU memory of contexts, buffers and engines; no call may come after."""
        self.runners_by_name.clear()
        self.runners = {}

    def _hashes(self) -> dict[str, str]:
        return {name: plan.record.plan_sha256 for name, plan in self.plans.items()}


def _check_memory(folder: Path, runners: Sequence[PlanRunner], device: devices.Device) -> None:
    """Check that what a thread will take at its first frame is there; raise DeviceMemoryError."""
    needed, free = sum(map(buffer_bytes, runners)), device.memory().free
    if needed > free:
        raise devices.DeviceMemoryError(f"one thread that runs engine '{folder}'", needed, free)


def open_tensorrt(
    folder: str | Path,
    *,
    cache: str | Path | None = None,
    allow_build: bool = False,
    options: BuildOptions | None = None,
    progress: Report = ignore,
    cancel: Callable[[], bool] = never,
    device: int | devices.Device = 0,
    force: bool = False,
    refused_ok: bool = False,
) -> TensorRTBackend:
    """
    Run a bundle of `zeroco export` in TensorRT on a GPU.

    cache, options, progress, cancel: see `engine.build.build_engine`. allow_build: build plans
    that are missing or do not fit, which takes minutes; without it they raise NotBuilt with the
    command. force: build even what is there. refused_ok: open plans that the parity gate refused,
    for the gate itself. Raises BackendError without TensorRT or a GPU, EngineRefused,
    `engine.device.DeviceMemoryError`, BuildCancelled.
    """

    def build(allowed: bool, force: bool) -> TensorRTBackend:
        built = build_engine(
            folder,
            options,
            cache,
            progress,
            device=gpu,
            allow_build=allowed,
            force=force,
            cancel=cancel,
        )
        return TensorRTBackend(Path(folder), built, PlanCache(cache), gpu, command)

    from zeroco_ros.engine.tensorrt_library import require_tensorrt

    require_tensorrt()
    gpu = devices.open_device(device) if isinstance(device, int) else device
    command = build_command(folder, options, cache, gpu.index)
    again = build_command(folder, options, cache, gpu.index, "--force")
    try:
        backend = build(allow_build, force)
    except PlanError as error:
        if not allow_build:
            raise BackendError(
                f"engine '{folder}': {error}: build it again with '{again}'"
            ) from None
        backend = build(True, True)
    if backend.verdict is not None and not backend.verdict.passed and not refused_ok:
        backend.close()
        raise EngineRefused(
            f"engine '{folder}' was refused by the parity gate on {backend.verdict.when} "
            f"({backend.verdict.faults[0]}): build it again with '{again}', have it judged again "
            f"with 'zeroco check {folder} --backend tensorrt', or use backend 'onnx' or 'torch'"
        )
    return backend
