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
The plans of a bundle: from the cache where they fit, else built, if that is allowed.

Not run on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
import shlex
import time

from zeroco_ros.engine import device as devices
from zeroco_ros.engine.build_job import BuildCancelled, Job
from zeroco_ros.engine.build_options import BuildOptions
from zeroco_ros.engine.build_progress import BuildProgress, PhaseTree, Report
from zeroco_ros.engine.bundle import check_file, Manifest, read_graph, read_manifest, sha256
from zeroco_ros.engine.cache import files_hash, Ingredients, NoPlan, PlanCache, PlanRecord
from zeroco_ros.engine.tensorrt_library import require_tensorrt
from zeroco_ros.errors import BackendError

__all__ = ["BuildCancelled", "BuildOptions", "NotBuilt", "Plan", "Plans", "build_engine", "cached"]
TOLD_EVERY = 5.0  # seconds without news after which the state is told again
TOLD_AT = 5  # percent from one piece of news to the next
_SHOWN = 12


class NotBuilt(BackendError):  # noqa: N818 - it names what was found
    """A plan is missing or does not fit, and building was not allowed."""


@dataclass(frozen=True)
class Plan:
    """
    One graph's plan.

    content: the serialized engine; record: its manifest; path: its file in the cache, None where
    it is in memory only; fresh: built just now.
    """

    content: bytes
    record: PlanRecord
    path: Path | None
    fresh: bool


@dataclass(frozen=True)
class Plans:
    """All plans of a bundle, by graph name. warnings: what the cache could not do, in words."""

    manifest: Manifest
    plans: dict[str, Plan]
    warnings: tuple[str, ...]


def ignore(_step: BuildProgress) -> None:
    """Report nothing."""


def never() -> bool:
    """Nobody asks to stop."""
    return False


def build_engine(
    folder: str | Path,
    options: BuildOptions | None = None,
    cache: str | Path | None = None,
    progress: Report = ignore,
    *,
    device: int | devices.Device = 0,
    allow_build: bool = True,
    force: bool = False,
    cancel: Callable[[], bool] = never,
) -> Plans:
    """
    Return the plans of the bundle in `folder` for a GPU, each from the cache or built.

    options: None takes the newest plan that is there, whatever its options, and builds with the
    default ones. cache: see `engine.cache.cache_root`. progress: told, from the calling thread, at
    every fifth percent and every five seconds. force: build even what is there. cancel: polled;
    true, as well as whatever `progress` or a signal handler raises, ends a build within two
    seconds. Raises NotBuilt where a plan is missing and `allow_build` is false, BuildCancelled,
    `engine.device.DeviceMemoryError` or BackendError, each with what to do.
    """
    work = _Work(Path(folder), options, cache, device)
    work.progress, work.cancel = progress, cancel
    plans = {
        name: work.plan(name, number, allow_build=allow_build, force=force)
        for number, name in enumerate(work.manifest.graphs, start=1)
    }
    return Plans(work.manifest, plans, tuple(work.cache.warnings))


def cached(
    folder: str | Path,
    *,
    options: BuildOptions | None = None,
    cache: str | Path | None = None,
    device: int | devices.Device = 0,
) -> bool:
    """
    Whether every plan of the bundle is there for this TensorRT and GPU.

    False where TensorRT or the GPU is missing. Raises BackendError for a folder that is no bundle.
    """
    read_manifest(Path(folder))
    try:
        build_engine(folder, options, cache, device=device, allow_build=False)
    except BackendError:
        return False
    return True


def build_command(
    folder: str | Path,
    options: BuildOptions | None,
    cache: str | Path | None,
    device: int,
    *more: str,
) -> str:
    """Return what to type to build a bundle's plans."""
    words = ["zeroco", "build", str(folder), *(options or BuildOptions()).arguments()]
    if cache is not None:
        words += ["--cache", str(cache)]
    if device != 0:
        words += ["--device", str(device)]
    return shlex.join([*words, *more])


class _Work:
    """The state of one `build_engine`."""

    progress: Report
    cancel: Callable[[], bool]

    def __init__(
        self,
        folder: Path,
        options: BuildOptions | None,
        cache: str | Path | None,
        device: int | devices.Device,
    ) -> None:
        self.folder, self.options = folder, options or BuildOptions()
        self._any = options is None
        self.manifest = read_manifest(folder)
        if self.manifest.kind != "onnx":
            raise BackendError(f"engine '{folder}' is of kind {self.manifest.kind!r}, not onnx")
        self.version = require_tensorrt()
        self.device = devices.open_device(device) if isinstance(device, int) else device
        self.cache = PlanCache(cache)
        self.command = build_command(folder, options, cache, self.device.index)

    def plan(self, name: str, number: int, *, allow_build: bool, force: bool) -> Plan:
        """From the cache, or built under a lock."""
        wanted = self.ingredients(name)
        if not force:
            try:
                return self._kept(wanted)
            except NoPlan as miss:
                if not allow_build:
                    raise NotBuilt(
                        f"engine '{self.folder}' has no TensorRT plan of {name} for this machine "
                        f"({miss}): build it with '{self.command}', or allow building at start"
                    ) from None
        told = _Told(self, name, number)
        began = time.time()
        with self.cache.lock(wanted, told.waiting):
            try:
                kept = self._kept(wanted)
                # Another process built it while this one waited.
                if not force or _since(kept.record.built) >= began:
                    return kept
            except NoPlan:
                pass
            return self._build(wanted, told)

    def ingredients(self, name: str) -> Ingredients:
        """Return what a graph's plan depends on here."""
        files = self.manifest.files
        own = {f: files[f] for f in sorted(files) if f == f"{name}.onnx" or _beside(f, name)}
        if f"{name}.onnx" not in own:
            raise BackendError(f"engine '{self.folder}' has no {name}.onnx: export it again")
        capability = ".".join(map(str, self.device.capability))
        return Ingredients(
            name,
            files_hash(own),
            self.version,
            self.device.name,
            capability,
            asdict(self.options),
        )

    def _kept(self, wanted: Ingredients) -> Plan:
        found = self.cache.load_any(wanted) if self._any else self.cache.load(wanted)
        stem = found[1].ingredients.stem()
        return Plan(*found, self.cache.folder / f"{stem}.plan", False)

    def _build(self, wanted: Ingredients, told: _Told) -> Plan:
        from zeroco_ros.engine.tensorrt_builder import build_plan, BuiltPlan

        onnx = self.folder / f"{wanted.graph}.onnx"
        content = read_graph(self.folder, self.manifest, onnx.name)
        for name in self.manifest.files:
            if _beside(name, wanted.graph):
                check_file(self.folder, self.manifest, name)
        timing = _timing_file(wanted)

        def work(cancelled: Callable[[], bool]) -> BuiltPlan:
            return build_plan(
                wanted.graph,
                onnx,
                content,
                self.options,
                self.device,
                timing=self.cache.read(timing) or b"",
                tree=told.tree,
                cancelled=cancelled,
            )

        built: BuiltPlan = Job(work).wait(told.look)
        record = PlanRecord(
            wanted,
            sha256(built.plan),
            len(built.plan),
            str(self.folder.resolve()),
            datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            round(told.seconds(), 1),
        )
        stored = self.cache.store(built.plan, record)
        if built.timing:
            self.cache.write(timing, built.timing)
        path = self.cache.folder / f"{wanted.stem()}.plan" if stored else None
        return Plan(built.plan, record, path, True)


class _Told:
    """Tells the progress of one graph: every few percent, and when nothing was told for long."""

    def __init__(self, work: _Work, name: str, number: int) -> None:
        self.tree = PhaseTree()
        self._work, self._name, self._number = work, name, number
        self._begun = time.monotonic()
        self._last: tuple[object, float] | None = None

    def seconds(self) -> float:
        """Since the graph was begun."""
        return time.monotonic() - self._begun

    def look(self) -> None:
        """Tell the build's state; raises BuildCancelled where the caller asks to stop."""
        phase, percent = self.tree.state()
        self._tell(phase, percent)

    def waiting(self, reason: str) -> None:
        """Tell that another process has the lock."""
        self._tell(reason, None)

    def _tell(self, phase: str, percent: int | None) -> None:
        work = self._work
        if work.cancel():
            raise BuildCancelled(f"the build of {self._name} was stopped")
        news, now = phase if percent is None else percent // TOLD_AT, time.monotonic()
        if self._last and self._last[0] == news and now - self._last[1] < TOLD_EVERY:
            return
        self._last = (news, now)
        count = len(work.manifest.graphs)
        work.progress(
            BuildProgress(self._name, self._number, count, phase, percent, self.seconds())
        )


def _beside(file: str, graph: str) -> bool:
    """Whether a file holds external weights of a graph."""
    return file.startswith(f"{graph}.onnx.")


def _timing_file(wanted: Ingredients) -> str:
    where = sha256(f"{wanted.device} {wanted.capability}".encode())[:_SHOWN]
    return f"timing-{wanted.tensorrt}-{where}.cache"


def _since(when: str) -> float:
    return datetime.fromisoformat(when).timestamp()
