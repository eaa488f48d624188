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

"""Plans on disk: what names them, when one counts, and what if nothing can be written."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
from pathlib import Path
import subprocess
import sys

import pytest

from zeroco_ros.engine.build_options import BuildOptions
from zeroco_ros.engine.bundle import sha256
from zeroco_ros.engine.cache import (
    cache_root,
    files_hash,
    Ingredients,
    NoPlan,
    PlanCache,
    PlanRecord,
)
from zeroco_ros.engine.verdicts import read_verdict, write_verdict
from zeroco_ros.errors import ConfigError

BASE = Ingredients(
    "encoder", "a" * 64, "10.3.0", "Orin", "8.7", dataclasses.asdict(BuildOptions())
)
OTHERS = {
    "graph": "matcher",
    "onnx": "b" * 64,
    "tensorrt": "10.16.1",
    "device": "Thor",
    "capability": "11.0",
    "options": dataclasses.asdict(BuildOptions(workspace_mb=512)),
}


def record_of(ingredients: Ingredients, plan: bytes = b"plan") -> PlanRecord:
    when = "2026-11-21T20:00:00.000+00:00"
    return PlanRecord(ingredients, sha256(plan), len(plan), "/robot/vga", when, 61.5)


def ignore(_reason: str) -> None:
    """Wait on."""


def test_every_ingredient_is_in_the_key():
    assert {field.name for field in dataclasses.fields(Ingredients)} == OTHERS.keys()
    keys = {dataclasses.replace(BASE, **{name: value}).key() for name, value in OTHERS.items()}
    assert len(keys | {BASE.key()}) == len(OTHERS) + 1
    assert dataclasses.replace(BASE).key() == BASE.key()


@pytest.mark.parametrize(
    "other",
    [{"workspace_mb": 512}, {"optimization_level": 5}, {"verbosity": "detailed"}, {"tf32": True}],
)
def test_every_build_option_is_in_the_key(other: dict[str, object]):
    assert {"workspace_mb", "optimization_level", "verbosity", "tf32"} == BASE.options.keys()
    options = BuildOptions(**other)  # type: ignore[arg-type]
    changed = dataclasses.replace(BASE, options=dataclasses.asdict(options))
    assert changed.key() != BASE.key()
    assert options.arguments() and not BuildOptions().arguments()


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"workspace_mb": 1}, "16 to 65536"),
        ({"optimization_level": 6}, "0 to 5"),
        ({"optimization_level": True}, "whole number"),
        ({"verbosity": "loud"}, "none, layer_names, detailed"),
    ],
)
def test_nonsense_options(values: dict[str, object], text: str):
    with pytest.raises(ConfigError, match=text):
        BuildOptions(**values)  # type: ignore[arg-type]


def test_external_weights_are_in_the_hash():
    alone = files_hash({"encoder.onnx": "1"})
    assert alone == "1"
    both = files_hash({"encoder.onnx": "1", "encoder.onnx.data": "2"})
    assert both not in (alone, files_hash({"encoder.onnx": "1", "encoder.onnx.data": "3"}))


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ZEROCO_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_root(tmp_path / "given") == tmp_path / "given"
    assert cache_root() == tmp_path / "own"
    monkeypatch.delenv("ZEROCO_CACHE")
    assert cache_root() == tmp_path / "xdg" / "zeroco"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # the specification says: ignore it
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_root() == tmp_path / "home" / ".cache" / "zeroco"

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert cache_root() == Path("/var/cache/zeroco")


def test_what_is_stored_is_found(tmp_path: Path):
    cache = PlanCache(tmp_path)
    assert cache.store(b"plan", record_of(BASE)) and not cache.warnings
    assert cache.load(BASE) == (b"plan", record_of(BASE))
    assert [path.read_bytes() for path, _record in cache.records()] == [b"plan"]
    assert not list(cache.folder.glob(".*"))


def test_nothing_is_there(tmp_path: Path):
    with pytest.raises(NoPlan, match="none was built"):
        PlanCache(tmp_path / "missing").load(BASE)
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("onnx", "the ONNX file aaaaaaaaaaaa, this is bbbbbbbbbbbb"),
        ("tensorrt", r"TensorRT 10\.3\.0, this is 10\.16\.1"),
        ("device", "the GPU Orin, this is Thor"),
        ("capability", r"compute capability 8\.7, this is 11\.0"),
        ("options", "workspace_mb=1024, this is .*workspace_mb=512"),
    ],
)
def test_what_is_there_instead_is_told(tmp_path: Path, name: str, text: str):
    cache = PlanCache(tmp_path)
    cache.store(b"plan", record_of(BASE))
    with pytest.raises(NoPlan, match=text):
        cache.load(dataclasses.replace(BASE, **{name: OTHERS[name]}))


@pytest.mark.fault(19, "a truncated plan is not run", nodes="shared")
@pytest.mark.parametrize("content", [b"", b"pla", b"plaN"])
def test_a_damaged_plan_does_not_count(tmp_path: Path, content: bytes):
    cache = PlanCache(tmp_path)
    cache.store(b"plan", record_of(BASE))
    (cache.folder / f"{BASE.stem()}.plan").write_bytes(content)
    with pytest.raises(NoPlan, match=r"encoder-\w+\.plan is truncated or changed"):
        cache.load(BASE)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "zeroco_plan_1"}'])
def test_a_plan_without_a_manifest_does_not_count(tmp_path: Path, text: str):
    cache = PlanCache(tmp_path)
    cache.store(b"plan", record_of(BASE))
    (cache.folder / f"{BASE.stem()}.json").write_text(text)
    with pytest.raises(NoPlan, match="none was built"):
        cache.load(BASE)
    assert cache.records() == []


def test_a_manifest_of_another_plan_does_not_count(tmp_path: Path):
    cache = PlanCache(tmp_path)
    cache.store(b"plan", record_of(BASE))
    other = dataclasses.replace(BASE, tensorrt="10.16.1")
    for ending in ("plan", "json"):
        (cache.folder / f"{BASE.stem()}.{ending}").rename(
            cache.folder / f"{other.stem()}.{ending}"
        )
    with pytest.raises(NoPlan, match="TensorRT"):
        cache.load(other)


@pytest.mark.fault(20, "a cache that cannot be written is a warning", nodes="shared")
def test_a_folder_that_cannot_be_made(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    cache = PlanCache(tmp_path / "file")
    with cache.lock(BASE, ignore):
        assert not cache.store(b"plan", record_of(BASE))
    assert any("--cache, ZEROCO_CACHE" in text for text in cache.warnings)
    with pytest.raises(NoPlan):
        cache.load(BASE)
    assert cache.records() == []


@pytest.mark.fault(20, "a full disk leaves the former plan whole", nodes="shared")
@pytest.mark.parametrize("step", ["write", "replace"])
def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str):
    cache = PlanCache(tmp_path)
    cache.store(b"plan", record_of(BASE))

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    target = (os, "fsync") if step == "write" else (Path, "replace")
    with monkeypatch.context() as patch:
        patch.setattr(*target, full)
        assert not cache.store(b"new", record_of(BASE, b"new"))
    assert "No space left on device" in cache.warnings[0]
    assert cache.load(BASE) == (b"plan", record_of(BASE))
    assert not list(cache.folder.glob(".*.partial"))


def test_a_full_disk_after_the_plan_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Only the manifest makes a plan count, and it says which bytes."""
    cache = PlanCache(tmp_path)
    cache.store(b"plan", record_of(BASE))
    write = cache.write

    def without_manifest(name: str, content: bytes) -> bool:
        return not name.endswith(".json") and write(name, content)

    monkeypatch.setattr(cache, "write", without_manifest)
    assert not cache.store(b"new", record_of(BASE, b"new"))
    with pytest.raises(NoPlan, match="truncated or changed"):
        cache.load(BASE)


def test_what_a_killed_writer_left_is_removed(tmp_path: Path):
    cache = PlanCache(tmp_path)
    cache.folder.mkdir()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead = cache.folder / f".{BASE.stem()}.plan.{ended.pid}.partial"
    alive = cache.folder / f".{BASE.stem()}.plan.{os.getppid()}.partial"
    for path in (dead, alive):
        path.write_bytes(b"half")
    cache.store(b"plan", record_of(BASE))
    assert alive.exists() and not dead.exists()


def test_a_verdict_is_of_exactly_these_plans(tmp_path: Path):
    cache = PlanCache(tmp_path)
    plans = {"encoder": "1", "matcher": "2"}
    assert read_verdict(cache, plans) is None
    stored = write_verdict(cache, plans, False, ("plane: volume 3 above 0.0002",))
    assert read_verdict(cache, plans) == stored and not stored.passed
    assert read_verdict(cache, plans | {"matcher": "3"}) is None
    [path] = cache.folder.glob("verdict-*")
    path.write_text(json.dumps({"passed": "yes", "faults": [], "when": "now"}))
    assert read_verdict(cache, plans) is not None and not read_verdict(cache, plans).passed
    path.write_text("{}")
    assert read_verdict(cache, plans) is None


def test_a_verdict_without_a_cache_holds_here(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    cache = PlanCache(tmp_path / "file")
    assert write_verdict(cache, {"encoder": "1"}, True, ()).passed
    assert cache.warnings and read_verdict(cache, {"encoder": "1"}) is None
