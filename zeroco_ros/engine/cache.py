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
TensorRT plans on disk: a plan, a manifest beside it that says what it is for, a lock.

A plan is good for one ONNX file, one TensorRT, one kind of GPU and one set of options: the hash of
these is its name. Everything is written whole or not at all, by one process at a time. Without a
folder that can be written, everything works from memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
import dataclasses
from dataclasses import dataclass
import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from zeroco_ros.engine.build_job import nap_until
from zeroco_ros.engine.bundle import sha256

FORMAT = "zeroco_plan_1"
FOLDER = "tensorrt"


def cache_root(given: str | Path | None = None) -> Path:
    """
    Where engines are kept.

    `given`, else $ZEROCO_CACHE, else $XDG_CACHE_HOME/zeroco, else ~/.cache/zeroco (XDG Base
    Directory Specification); /var/cache/zeroco for a user without home.
    """
    if given is not None:
        return Path(given).expanduser()
    for name, below in (("ZEROCO_CACHE", ""), ("XDG_CACHE_HOME", "zeroco")):
        value = os.environ.get(name, "")
        if value and (name == "ZEROCO_CACHE" or Path(value).is_absolute()):
            return Path(value).expanduser() / below
    try:
        return Path.home() / ".cache" / "zeroco"
    except RuntimeError:  # in a container, with a number for a user
        return Path("/var/cache/zeroco")


@dataclass(frozen=True)
class Ingredients:
    """
    What a plan depends on.

    graph: its name; onnx: sha256 of its files; tensorrt: version; device: name of the GPU;
    capability: "8.7"; options: of the build.
    """

    graph: str
    onnx: str
    tensorrt: str
    device: str
    capability: str
    options: dict[str, Any]

    def key(self) -> str:
        """Return the hash that names the plan, hex."""
        return sha256(json.dumps(dataclasses.asdict(self), sort_keys=True).encode())

    def stem(self) -> str:
        """Return the plan's file name without its ending."""
        return f"{self.graph}-{self.key()[:20]}"


@dataclass(frozen=True)
class PlanRecord:
    """
    The manifest beside a plan.

    plan_sha256, plan_bytes: of its file; bundle: the folder that it was built from; built: when,
    ISO 8601 UTC; seconds: how long that took.
    """

    ingredients: Ingredients
    plan_sha256: str
    plan_bytes: int
    bundle: str
    built: str
    seconds: float

    def to_json(self) -> str:
        """As text, the inverse of `from_json`."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> PlanRecord:
        """Raise ValueError for text that is none."""
        try:
            values = json.loads(text)
            if values.pop("format") != FORMAT:
                raise ValueError(f"its format is not {FORMAT}")
            values["ingredients"] = Ingredients(**values["ingredients"])
            return cls(**values)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(str(error)) from None


class NoPlan(Exception):  # noqa: N818 - it names what was found
    """The cache has no plan that can be used, and why, as half a sentence."""


class PlanCache:
    """
    The plans in a folder, which need not exist nor be writable.

    root: see `cache_root`; the plans are in its folder tensorrt. warnings: what could not be
    written, in words.
    """

    def __init__(self, root: str | Path | None = None) -> None:
        self.folder = cache_root(root) / FOLDER
        self.warnings: list[str] = []

    def load(self, wanted: Ingredients) -> tuple[bytes, PlanRecord]:
        """Return the plan for these ingredients and its manifest. Raises NoPlan."""
        record = self._record(self.folder / f"{wanted.stem()}.json")
        if record is None or record.ingredients != wanted:
            raise NoPlan(self._why_not(wanted))
        path = self.folder / f"{wanted.stem()}.plan"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise NoPlan(f"{path.name}: {error.strerror}") from None
        found = sha256(content)
        if found != record.plan_sha256:
            raise NoPlan(
                f"{path.name} is truncated or changed: {len(content)} bytes, sha256 {found[:12]}; "
                f"its manifest says {record.plan_bytes} and {record.plan_sha256[:12]}"
            )
        return content, record

    def load_any(self, wanted: Ingredients) -> tuple[bytes, PlanRecord]:
        """As `load`, whatever the options: the newest plan that is whole. Raises NoPlan."""
        damaged: NoPlan | None = None
        for _path, record in self.records():
            have = record.ingredients
            if dataclasses.replace(have, options=wanted.options) != wanted:
                continue
            try:
                return self.load(have)
            except NoPlan as reason:
                damaged = damaged or reason
        raise damaged or NoPlan(self._why_not(wanted))

    def _why_not(self, wanted: Ingredients) -> str:
        """Return what is there instead: the plan that differs in the fewest ingredients."""
        near: list[list[str]] = []
        for _path, record in self.records():
            have = record.ingredients
            if have.graph != wanted.graph:
                continue
            pairs = (
                ("TensorRT", have.tensorrt, wanted.tensorrt),
                ("the GPU", have.device, wanted.device),
                ("compute capability", have.capability, wanted.capability),
                ("the ONNX file", have.onnx[:12], wanted.onnx[:12]),
                ("the options", _words(have.options), _words(wanted.options)),
            )
            near.append([f"{what} {a}, this is {b}" for what, a, b in pairs if a != b])
        near = [differences for differences in near if differences]
        if not near:
            return "none was built"
        closest = min(near, key=len)
        return "the one that is there is for " + ", and for ".join(closest)

    def records(self) -> list[tuple[Path, PlanRecord]]:
        """Every plan's file and manifest, newest first; unreadable manifests are left out."""
        try:
            found = [(path, self._record(path)) for path in sorted(self.folder.glob("*-*.json"))]
        except OSError:
            return []
        known = [(path.with_suffix(".plan"), record) for path, record in found if record]
        return sorted(known, key=lambda pair: pair[1].built, reverse=True)

    def _record(self, path: Path) -> PlanRecord | None:
        try:
            return PlanRecord.from_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def store(self, plan: bytes, record: PlanRecord) -> bool:
        """
        Keep a plan: its file first, then the manifest that makes it count.

        False, and a warning, where that fails; the plan in memory is as good.
        """
        stem = record.ingredients.stem()
        return self.write(f"{stem}.plan", plan) and self.write(
            f"{stem}.json", record.to_json().encode()
        )

    def read(self, name: str) -> bytes | None:
        """Return a small file of the cache, None where there is none."""
        try:
            return (self.folder / name).read_bytes()
        except OSError:
            return None

    def write(self, name: str, content: bytes) -> bool:
        """Replace a file as a whole. False, and a warning, where that fails."""
        draft = self.folder / f".{name}.{os.getpid()}.partial"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._sweep(name)
            with draft.open("wb") as handle:
                handle.write(content)
                handle.flush()
                os.fsync(handle.fileno())
            draft.replace(self.folder / name)
        except OSError as error:
            self._warn(f"{name} is not kept", error)
            return False
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
        return True

    def _sweep(self, name: str) -> None:
        """Remove what a writer left that was killed: a process of that number runs no more."""
        for path in self.folder.glob(f".{name}.*.partial"):
            number = path.name.split(".")[-2]
            if number.isdigit() and not Path(f"/proc/{number}").exists():
                path.unlink(missing_ok=True)

    @contextmanager
    def lock(self, wanted: Ingredients, look: Callable[[str], None]) -> Iterator[None]:
        """
        Hold the right to build this plan; wait for another process or thread that has it.

        The kernel gives a lock back when its holder dies, so none is ever stale. look: called in
        every nap with who is waited for; may raise to give up. Where nothing can be locked there
        is a warning and no lock.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = (self.folder / f"{wanted.stem()}.lock").open("a+")
        except OSError as error:
            self._warn("nothing is locked or kept", error)
            yield
            return
        with handle:
            nap_until(lambda: self._take(handle), lambda: look(_holder(handle)))
            handle.seek(0)
            handle.truncate()
            handle.write(str(os.getpid()))
            handle.flush()
            yield

    def _take(self, handle: Any) -> bool:
        """Try to lock; True as well where the file system knows no locks."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            self._warn("two builders at once are not kept apart", error)
        return True

    def _warn(self, what: str, error: OSError) -> None:
        text = (
            f"cache '{self.folder}': {what} ({error.strerror or error}); this process works from "
            "memory, the next one builds again: give a folder that can be written "
            "(--cache, ZEROCO_CACHE)"
        )
        if text not in self.warnings:
            self.warnings.append(text)


def _holder(handle: Any) -> str:
    handle.seek(0)
    number = handle.read().strip()
    return f"waiting for process {number or '?'}, which builds it"


def _words(options: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(options.items()))


def files_hash(hashes: dict[str, str]) -> str:
    """One hash for a graph's files, by name: its own where it is one file."""
    if len(hashes) == 1:
        return next(iter(hashes.values()))
    return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()
