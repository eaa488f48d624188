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

"""A fleet on a Ray cluster of two workers on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import os
from pathlib import Path
import sys
from typing import Any

import pytest

from zeroco_ros.replay.record import METRICS, ReplayRun

OPTIONS = ("--task", "flow", "--no-report", "--reference", "auto")
STORE = 80 * 2**20  # bytes, the least that Ray allows: parts are files, nothing large is sent


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Address of a cluster with two nodes of one processor each, without dashboard and reports."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'zeroco_ros[ray]'")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False}
    found = Cluster(initialize_head=True, head_node_args=node)
    try:
        found.add_node(num_cpus=1, object_store_memory=STORE)
        yield found.address
    finally:
        found.shutdown()


def test_a_fleet_on_two_workers(
    cluster: str,
    bag: Path,
    broken_bag: Path,
    other_bag: Path,
    replay: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same record as in one process here, byte for byte; a broken bag is not fatal."""
    bags = bag, broken_bag, other_bag
    monkeypatch.chdir(tmp_path)
    ray = "--engine", "ray", "--address", cluster
    ran = replay(*bags, "-o", "ray", *ray, *OPTIONS)
    assert ran.code == 1, ran.err
    assert "1 of 3 bags failed" in ran.err
    run = ReplayRun.load(tmp_path / "ray")
    assert [one.status for one in run.metrics.bags] == ["ok", "failed", "ok"]
    assert run.timing is not None and run.timing.engine == "ray"
    assert replay(*bags, "-o", tmp_path / "here", *OPTIONS).code == 1
    here = (tmp_path / "here" / METRICS).read_bytes()
    assert (tmp_path / "ray" / METRICS).read_bytes() == here
    ran = replay(*bags, "-o", "ray", *ray, *OPTIONS)
    assert ran.out.count("kept from the run before") == 2


def test_without_ray_or_a_cluster_it_is_one_line(
    bag: Path, replay: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = bag, "-o", tmp_path, "--engine", "ray", *OPTIONS
    monkeypatch.setitem(sys.modules, "ray", None)
    ran = replay(*options)
    assert ran.code == 2 and ran.err.count("\n") == 1
    assert "pip install 'zeroco_ros[ray]'" in ran.err
    monkeypatch.undo()
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'zeroco_ros[ray]'")
    tried: list[str] = []

    def init(address: str, **_: Any) -> None:
        """As Ray's own where there is no cluster; a real one may run on this machine."""
        tried.append(address)
        raise ConnectionError("Could not find any running Ray instance.\nPlease specify one.")

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    ran = replay(*options)
    assert ran.code == 2 and ran.err.count("\n") == 1, ran.err
    assert "no Ray cluster at auto (Could not find any running Ray instance. Please" in ran.err
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert replay(*options).code == 2
    assert tried == ["auto", "10.0.0.1:6379"]
