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

"""Whole runs of a tiny network: recipe, learning, kill and resume, export."""

from __future__ import annotations

from dataclasses import replace
import json
import os
from pathlib import Path
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from zeroco_ros.croco.checkpoint import load_croco
from zeroco_ros.errors import ConfigError, WeightsError
from zeroco_ros.training.export import export
from zeroco_ros.training.holdout import (
    as_set,
    endpoint_errors,
    read_out,
    summary,
)
from zeroco_ros.training.pairs import make_pair
from zeroco_ros.training.photos import bundled_photos
from zeroco_ros.training.recipe import (
    load_recipe,
    ObjectivePlan,
    Recipe,
    recipe_from,
)
from zeroco_ros.training.shards import make_shard, newest_shard, oldest_shard
from zeroco_ros.training.textures import texture_pool
from zeroco_ros.training.train import RunOptions, train, Trainer

TINY: dict[str, Any] = {
    "model": {
        "enc_embed_dim": 32,
        "enc_depth": 1,
        "enc_num_heads": 2,
        "dec_embed_dim": 32,
        "dec_depth": 1,
        "dec_num_heads": 2,
        "pos_embed": "rope100",
        "stem": "conv",
        "cross_rope": False,
        "prediction_head": False,
    },
    "data": {
        "size": [64, 80],
        "crops": [[64, 64], [48, 80]],
        "shard": 12,
        "window": 2,
        "reuse": 1.0,
        "textures": 3,
        "world": {"homographies": 1.0},
    },
    "optimizer": {"batch": 4, "warmup": 5, "lr": 0.003},
    "steps": 12,
    "seed": 3,
    "log_every": 1,
    "save_every": 2,
}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def tiny() -> Recipe:
    return recipe_from(TINY)


def losses(out: Path) -> dict[int, float]:
    lines = (out / "log.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    return {record["step"]: record["loss"] for record in records if "loss" in record}


def start(
    recipe: Path, out: Path, *options: str, launcher: tuple[str, ...] = ()
) -> subprocess.Popen[str]:
    code = "import sys; from zeroco_ros.cli import main; sys.exit(main())"
    command = [sys.executable, *launcher, sys.executable] if launcher else [sys.executable]
    command += ["-c", code, "train", "backbone", "--config", str(recipe)]
    command += ["--out", str(out), "--threads", "1", "--held-out", "0", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, errors = process.communicate(timeout=180)
    return process.returncode, errors


@pytest.mark.timeout(400)  # several interpreters have to start, on a machine that may be busy
def test_a_killed_run_resumes_as_if_it_had_not_been_killed(tiny: Recipe, tmp_path: Path) -> None:
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(yaml.safe_dump(TINY))
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    process = start(recipe, broken)
    options = RunOptions(out=whole, threads=1, held_out=0, progress=False)
    train(tiny, options)
    export(whole, whole / "backbone.safetensors")
    deadline = time.monotonic() + 180
    while not (broken / "checkpoint.pt").exists() and time.monotonic() < deadline:
        assert process.poll() is None, "the run ended before its first checkpoint"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()  # its pipes stay open until the renderer has noticed
    with pytest.raises(ConfigError, match="--resume"):
        train(tiny, replace(options, out=broken))
    with pytest.raises(ConfigError, match="another recipe"):
        train(replace(tiny, seed=4), replace(options, out=broken, resume=True))
    code, errors = finish(start(recipe, broken, "--resume"))
    assert code == 0, errors
    expected, resumed = losses(whole), losses(broken)
    assert sorted(expected) == list(range(1, 13)) and resumed.keys() == expected.keys()
    np.testing.assert_allclose(
        [resumed[k] for k in sorted(resumed)], [expected[k] for k in sorted(expected)], atol=1e-4
    )
    weights = [load_croco(out / "backbone.safetensors").model for out in (whole, broken)]
    for one, other in zip(*(model.parameters() for model in weights), strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)
    text = (broken / "backbone.md").read_text()
    assert str(tmp_path) not in text and "--config PATH" in text


@pytest.mark.timeout(400)
def test_a_minute_of_training_learns_to_match(tmp_path: Path) -> None:
    """The shipped tiny recipe: a lower loss, and less error on pairs that it has never seen."""
    recipe = load_recipe("tiny")
    pool = texture_pool([99, 0], 12, bundled_photos())
    world, size = recipe.data.world, recipe.held_out
    unseen = [make_pair([99, 1 + k], world, pool, size, 4) for k in range(24)]
    sets = {"unseen": as_set(unseen, 0)}
    options = RunOptions(out=tmp_path, threads=1, held_out=0, progress=False, precision="float32")
    untrained = summary(endpoint_errors(Trainer(recipe, options).average, sets))["aepe"]
    trained = summary(endpoint_errors(train(recipe, options).average, sets))["aepe"]
    course = list(losses(tmp_path).values())
    assert np.mean(course[-5:]) < np.mean(course[:2]) - 0.6  # nats; 1.0 and more were seen
    assert trained["unseen"] < 0.5 * untrained["unseen"]


@pytest.mark.timeout(400)
def test_two_processes_have_the_loss_curve_of_one(tiny: Recipe, tmp_path: Path) -> None:
    """Real torchrun, gloo, DistributedDataParallel; float32, since bf16 rounds by batch."""
    recipe, alone, two = (tmp_path / name for name in ("tiny.yaml", "alone", "two"))
    changed = replace(tiny, steps=6, objective=ObjectivePlan(regression=0.01))
    recipe.write_text(yaml.safe_dump(json.loads(json.dumps(changed.to_dict()))))
    train(
        changed,
        RunOptions(out=alone, threads=1, held_out=0, progress=False, precision="float32"),
    )
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    code, errors = finish(
        start(recipe, two, "--precision", "float32", launcher=(*launcher, "--no-python"))
    )
    assert code == 0, errors
    expected, measured = losses(alone), losses(two)
    assert sorted(expected) == list(range(1, 7)) == sorted(measured)
    np.testing.assert_allclose([measured[k] for k in expected], list(expected.values()), rtol=1e-4)
    assert len(set(expected.values())) == 6
    card = (two / "backbone.md").read_text()
    assert "in 2 process(es)" in card and "torchrun --nproc-per-node 2" in card


def test_processes_average_gradients_and_take_the_leaders_clock() -> None:
    code = """
import torch
from zeroco_ros.training.parallel import Team
team = Team()
weight = torch.nn.Parameter(torch.zeros(2, 3))
weight.grad = torch.full((2, 3), 1.0 + team.rank)
clock = team.average_gradients([weight, torch.nn.Parameter(torch.zeros(1))], 10.0 + team.rank)
print(team.size, weight.grad.unique().tolist(), clock, team.share([5, 6, 7]), flush=True)
"""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    shared = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            text=True,
            env={**shared, "RANK": str(rank)},
        )
        for rank in (0, 1)
    ]
    texts = [process.communicate(timeout=110)[0].strip() for process in processes]
    assert texts == ["2 [1.5] 10.0 [5, 7]", "2 [1.5] 10.0 [6]"]


def test_the_rate_warms_up_and_falls(tiny: Recipe, tmp_path: Path) -> None:
    trainer = Trainer(replace(tiny, steps=100), RunOptions(out=tmp_path))
    rates = []
    for trainer.step in (0, 4, 50, 100):
        rates.append(trainer.rate())
    assert rates[0] == pytest.approx(0.003 / 5)
    assert rates[1] == pytest.approx(0.003, rel=0.01)
    assert rates[2] == pytest.approx(0.003 * 0.51)
    assert rates[3] == pytest.approx(0.003 * 0.02)
    by_clock = Trainer(tiny, RunOptions(out=tmp_path, minutes=2.0))
    by_clock.seconds = 60.0
    assert by_clock.progress() == 0.5


def test_batches_come_from_a_moving_window_of_shards(tiny: Recipe) -> None:
    assert (oldest_shard(0, tiny), newest_shard(0, tiny)) == (0, 1)
    assert (oldest_shard(12, tiny), newest_shard(12, tiny)) == (4, 5)  # 48 samples, 12 per shard


def test_shards_depend_on_seed_and_number(tiny: Recipe) -> None:
    data = replace(tiny.data, shard=2)
    first, again, other = (make_shard(3, number, data, []) for number in (4, 4, 5))
    assert np.array_equal(first.images, again.images)
    assert not np.array_equal(first.images, other.images)
    assert first.flow.shape == (2, 2, 4, 5, 2) and first.visible.shape == (2, 2, 4, 5)


def test_reading_out_a_volume_by_hand() -> None:
    volume = torch.zeros(1, 6, 6)
    volume[0, 0, 4] = 50.0  # token (0, 0) matches (row 1, column 1)
    flow = read_out(volume, (2, 3), 1.0)
    assert flow[0, 0, 0].tolist() == pytest.approx([1.0, 1.0])
    volume[0, 0, 5] = 50.0  # and (row 1, column 2) as well: half a cell further
    assert read_out(volume, (2, 3), 1.0)[0, 0, 0].tolist() == pytest.approx([1.5, 1.0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"speed": 3}, "unknown recipe key speed"),
        ({"data": {"size": [60, 80]}}, "multiple of 16"),
        ({"data": {"size": [64, 64], "crops": [[64, 80]]}}, "exceed"),
        ({"data": {"world": {"gravity": 9.8}}}, "gravity"),
        ({"model": {"stem": "granite"}}, "granite"),
    ],
)
def test_recipes_with_mistakes_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        recipe_from({**TINY, **change})


def test_recipes_that_are_no_yaml_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("{")
    with pytest.raises(ConfigError, match=r"recipe\.yaml cannot be read"):
        load_recipe(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_recipe(tmp_path / "absent.yaml")


def test_exporting_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no checkpoint"):
        export(tmp_path, tmp_path / "weights.safetensors")
    (tmp_path / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(WeightsError, match="damaged"):
        export(tmp_path, tmp_path / "weights.safetensors")
