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
An engine on disk: a folder of graphs and a manifest that says what they are and hashes them.

Nothing is run before every file has the hash that the manifest states, and a folder appears whole
or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
import hashlib
import json
import os
from pathlib import Path
import shutil
from typing import Any, BinaryIO, NamedTuple

from zeroco_ros.errors import BackendError, ConfigError

FORMAT = "zeroco_engine_2"
MANIFEST = "manifest.json"
Size = tuple[int, int]


class Signature(NamedTuple):
    """Names of a graph's inputs and outputs, in order."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Readout:
    """
    How a cost volume becomes matches.

    kind: "hard", "soft" or "window"; window: its side in tokens, odd; beta: the softmax's
    temperature, None for `readout.SPREAD_BETA` of each pair's spread; reciprocity: whether the
    mean of both directions' volumes is read.
    """

    kind: str
    window: int
    beta: float | None
    reciprocity: bool


@dataclass(frozen=True)
class Origin:
    """
    A model file that graphs were made from.

    name: of the file; sha256: in hex; metadata: the file's own JSON values; license_note: set
    where use is restricted.
    """

    name: str
    sha256: str
    metadata: dict[str, Any] = field(default_factory=dict)
    license_note: str | None = None


@dataclass(frozen=True)
class Manifest:
    """
    What a bundle holds.

    kind: "onnx"; precision: "fp32" or "fp16", of the products inside; image: (H, W) of the camera
    that it was exported for, model_size: (H, W) of the network's input, valid: rows and columns of
    the tokens in it that hold such an image; head_size: (h, w) of a recurrent flow head's input,
    None without one; register_fix: baked into the cost volume; readout: of the matcher's graph,
    None without one; config: the values of the FlowConfig that it was exported for; weights, head,
    depth: where backbone, flow head and depth head come from, None for what it lacks; graphs: name
    to inputs and outputs, the file of graph NAME is NAME.onnx, its weights may be in
    NAME.onnx.data; files: file name to sha256;
    versions: of the libraries that exported it.
    """

    kind: str
    precision: str
    image: Size
    model_size: Size
    valid: Size
    head_size: Size | None
    register_fix: bool
    readout: Readout | None
    config: dict[str, Any]
    weights: Origin
    head: Origin | None
    depth: Origin | None
    graphs: dict[str, Signature]
    files: dict[str, str]
    versions: dict[str, str]

    def to_json(self) -> str:
        """As text, the inverse of `from_json`."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Raise ConfigError for text that is no manifest."""
        try:
            values = json.loads(text)
            if values.pop("format") != FORMAT:
                raise ValueError(f"its format is not {FORMAT}")
            values["weights"] = Origin(**values["weights"])
            for part, kind in (("head", Origin), ("depth", Origin), ("readout", Readout)):
                values[part] = None if values[part] is None else kind(**values[part])
            for size in ("image", "model_size", "valid"):
                values[size] = _size(values[size])
            head_size = values["head_size"]
            values["head_size"] = None if head_size is None else _size(head_size)
            values["graphs"] = {
                str(name): Signature(*(tuple(map(str, names)) for names in both))
                for name, both in values["graphs"].items()
            }
            manifest = cls(**values)
            hashes = {str(name): str(value) for name, value in manifest.files.items()}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ConfigError(f"no manifest of an engine ({error})") from None
        if any("/" in name or name.startswith(".") for name in hashes):
            raise ConfigError("no manifest of an engine (a file lies outside of its folder)")
        return manifest


def check_folder(folder: Path) -> None:
    """Raise ConfigError where `folder` exists and is no bundle: it is not replaced by one."""
    if folder.exists() and not (folder / MANIFEST).is_file():
        raise ConfigError(f"'{folder}' exists and is no engine: give another folder")


def write_bundle(folder: Path, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """
    Write a bundle, replacing a former bundle of that name.

    Raises ConfigError where `folder` exists and is no bundle, BackendError where it cannot be
    written; a former bundle is then still there, and nothing else is left behind.
    """
    check_folder(folder)
    draft, former = (
        folder.with_name(f".{folder.name}.{os.getpid()}.{word}") for word in ("partial", "former")
    )
    try:
        draft.mkdir(parents=True)
        for name, content in files.items():
            (draft / name).write_bytes(content)
        (draft / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
        _exchange(folder, draft, former)
    except OSError as error:
        raise BackendError(f"engine '{folder}': cannot be written ({error.strerror})") from None
    finally:
        for rest in (draft, former):
            shutil.rmtree(rest, ignore_errors=True)


def _exchange(folder: Path, draft: Path, former: Path) -> None:
    """`draft` becomes `folder`, which moves to `former`; it stays where that fails."""
    there = folder.exists()
    if there:
        folder.rename(former)
    try:
        draft.rename(folder)
    except OSError:
        if there:
            former.rename(folder)
        raise


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a bundle. Raises BackendError where there is none."""
    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise BackendError(
            f"'{folder}' is no engine (it has no readable {MANIFEST}): make one with "
            "'zeroco export -o FOLDER'"
        ) from None
    try:
        return Manifest.from_json(text)
    except ConfigError as error:
        raise BackendError(f"engine '{folder}': {error}; export it again") from None


def read_graph(folder: Path, manifest: Manifest, name: str) -> bytes:
    """
    Return the bytes of one graph.

    Raises BackendError where they are not those that were exported.
    """
    with _file(folder, manifest, name) as file:
        content = file.read()
    _check(folder, manifest, name, sha256(content))
    return content


def check_file(folder: Path, manifest: Manifest, name: str) -> None:
    """Compare a file of any size with the manifest; raises BackendError as `read_graph`."""
    digest = hashlib.sha256()
    with _file(folder, manifest, name) as file:
        while chunk := file.read(1 << 24):
            digest.update(chunk)
    _check(folder, manifest, name, digest.hexdigest())


@contextmanager
def _file(folder: Path, manifest: Manifest, name: str) -> Iterator[BinaryIO]:
    if name not in manifest.files:
        raise BackendError(f"engine '{folder}' has no {name}: export it again")
    try:
        with (folder / name).open("rb") as file:
            yield file
    except OSError as error:
        raise BackendError(f"engine '{folder}': {name}: {error.strerror}") from None


def _check(folder: Path, manifest: Manifest, name: str, found: str) -> None:
    if found != manifest.files[name]:
        raise BackendError(
            f"engine '{folder}': {name} is truncated or changed (sha256 {found[:12]}, the "
            f"manifest says {manifest.files[name][:12]}): export it again"
        )


def sha256(content: bytes) -> str:
    """In hex."""
    return hashlib.sha256(content).hexdigest()


def _size(values: Any) -> Size:
    height, width = values
    if not (isinstance(height, int) and isinstance(width, int) and min(height, width) > 0):
        raise ValueError(f"a size of {values}")
    return height, width
