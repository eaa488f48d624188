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

"""One bag's replay as an order that can be sent to another process, and what it comes back as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
import hashlib
from importlib import metadata
import json
import os
from pathlib import Path
import platform

from zeroco_ros import __version__
from zeroco_ros.bag.folder import find_files
from zeroco_ros.errors import BagError, ZerocoError
from zeroco_ros.replay.pool import Pool
from zeroco_ros.replay.record import BagRecord, BagTiming, SCHEMA
from zeroco_ros.replay.reference import reference_hashes
from zeroco_ros.ros.parameter_spec import Value

Values = dict[str, Value]

BAGS, PARTS, FRAMES = "output_bag", "parts", "frames"
_BLOCK = 1 << 22
_COMPUTING = ("numpy", "torch", "opencv-python", "scipy", "onnxruntime", "tensorrt")


@dataclass(frozen=True)
class Job:
    """
    What is done with one bag.

    name: unique in the run. out: the run's folder. values: the parameters of each task's node, in
    the order in which tasks run. topic, info, poses, right: topics, None looks for them.
    reference: as given. rate: 0 as fast as possible, 1 the pace of the recording. keep: write the
    output bag.
    """

    path: Path
    name: str
    out: Path
    values: dict[str, Values]
    topic: str | None = None
    info: str | None = None
    poses: str | None = None
    right: str | None = None
    reference: tuple[str, ...] = ()
    rate: float = 0.0
    keep: bool = True

    @property
    def part(self) -> Path:
        """Return the file with this bag's result."""
        return self.out / PARTS / f"{self.name}.json"

    @property
    def bag(self) -> Path:
        """Return the bag with what the nodes would have published."""
        return self.out / BAGS / self.name


@dataclass(frozen=True)
class Part:
    """One bag's result before it is merged. key: of everything that it depends on."""

    key: str
    record: BagRecord
    pool: Pool = field(default_factory=Pool)
    timing: BagTiming | None = None
    model: dict[str, str | None] = field(default_factory=dict)
    seconds: float = 0.0
    model_seconds: float = 0.0


def failed(job: Job, error: BaseException | str, sha256: str = "") -> Part:
    """Return the part of a bag that could not be replayed; the error becomes one line."""
    known = isinstance(error, str | ZerocoError)
    text = str(error) if known else f"fault in zeroco_ros: {type(error).__name__}: {error}"
    line = " ".join(text.split())
    return Part("", BagRecord(job.name, str(job.path), sha256, "failed", error=line))


def bag_hash(path: Path) -> str:
    """Return the sha256 over the storage files of a bag. Raises BagError where there is none."""
    files = find_files(path).files
    try:
        return _sha256(files)
    except OSError as error:
        raise BagError(f"{path} cannot be read: {error.strerror or error}") from error


def job_key(job: Job, sha256: str, weights: Mapping[str, str]) -> str:
    """
    Return a hash of all that a bag's result depends on: nothing else makes it invalid.

    sha256: of the bag. weights: file -> sha256 of the models.
    """
    content = {
        "schema": SCHEMA,
        "bag": sha256,
        "values": job.values,
        "topics": [job.topic, job.info, job.poses, job.right],
        "reference": [list(job.reference), reference_hashes(job.reference, job.name)],
        "keep": job.keep,
        "weights": dict(weights),
        "versions": versions(),
        "machine": machine(job.values),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def weights_hashes(values: Mapping[str, Values]) -> dict[str, str]:
    """
    Return name -> sha256 of every model file that the parameters may lead to.

    Raises WeightsError for one that is not there.
    """
    from zeroco_ros.weights import resolve, shipped

    names = set(shipped())
    files: dict[str, Path] = {}
    for one in values.values():
        names |= {str(one[key]) for key in ("weights", "head") if one.get(key)}
        engine = Path(str(one.get("engine") or ""))
        if str(engine) != "." and engine.is_dir():
            files |= {str(f.relative_to(engine)): f for f in engine.rglob("*") if f.is_file()}
    files |= {name: resolve(name) for name in names - {"preset", "none", "engine", "default"}}
    files["default"] = resolve("default")
    return {name: _sha256([path]) for name, path in sorted(files.items())}


def versions() -> dict[str, str]:
    """Return the versions of what computes; zeroco_ros_code: a hash of the package's source."""
    found = {"zeroco_ros": __version__, "python": platform.python_version()}
    found["zeroco_ros_code"] = _code_hash()
    found |= {name: _version(name) for name in _COMPUTING}
    return {name: version for name, version in found.items() if version}


@cache
def _code_hash() -> str:
    """
    Return a working copy changes without its version.

    The first digits of the sha256 of its source.
    """
    package = Path(__file__).resolve().parents[1]
    total = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        total.update(f"{file.relative_to(package)}\0".encode() + file.read_bytes())
    return total.hexdigest()[:12]


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def machine(values: Mapping[str, Mapping[str, Value]]) -> dict[str, str]:
    """Return what of the machine determines the numbers."""
    import torch

    threads = {int(one["threads"]) for one in values.values()}
    count = max(threads) or torch.get_num_threads()
    return {
        "architecture": platform.machine(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": str(count),
    }


def cpus() -> int:
    """Return how many processors this process may use."""
    return (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )


def unique_names(paths: Sequence[Path]) -> list[str]:
    """Return a name for each bag: that of its folder or file, numbered where two are alike."""
    names: list[str] = []
    for path in paths:
        resolved = path.resolve()
        stem = resolved.name
        for suffix in (".zstd", ".mcap", ".db3"):
            stem = stem.removesuffix(suffix)
        name, number = stem, 2
        while name in names:
            name, number = f"{stem}_{number}", number + 1
        names.append(name)
    return names


def _sha256(files: Sequence[Path]) -> str:
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK):
                total.update(block)
    return total.hexdigest()
