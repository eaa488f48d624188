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

"""A quick bench of a tiny network goes through the sections; no time is judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from zeroco_ros.bench.plan import Plan
from zeroco_ros.bench.record import BenchRecord
from zeroco_ros.cli import main
from zeroco_ros.errors import ConfigError

FINITE = ("step", "stages", "memory", "scaling")


def test_quick_bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["bench", *FINITE, "-o", str(tmp_path), "--quick", "--network", "tiny"]
    code = main([*words, "--preset", "fast", "--image", "160x120"])
    printed = capsys.readouterr().out
    assert code == 0, printed
    record = BenchRecord.load(tmp_path / "bench.json")
    assert [part.name for part in record.sections] == list(FINITE)
    step = record.section("step")
    assert step is not None
    plain = step.row(name="plain, two passes")
    assert plain["speed"] == 1.0 and float(plain["gflop"]) > 0
    ours = step.row(name="stream, fp32")
    assert float(ours["gflop"]) < float(plain["gflop"])
    memory = record.section("memory")
    assert memory is not None and float(memory.row(name="plain, two passes")["step"]) >= 0
    stages = record.section("stages")
    assert stages is not None and {"backbone: encode", "all"} <= {r["name"] for r in stages.rows}
    assert sum(float(r["share"]) for r in stages.rows[:-2]) == pytest.approx(100)
    for name in ("bench.txt", "bench.md", "bench.png"):
        assert (tmp_path / name).stat().st_size > 500
    assert "load average" in printed and "A stream's step" in printed


def test_agreement_and_backends(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["bench", "agreement", "backends", "-o", str(tmp_path), "--quick", "--no-picture"]
    code = main([*words, "--preset", "fast", "--image", "96x64"])
    printed = capsys.readouterr().out
    record = BenchRecord.load(tmp_path / "bench.json")
    agreement, backends = record.section("agreement"), record.section("backends")
    assert agreement is not None and backends is not None
    exact = agreement.row(precision="fp32", pair="all")
    assert float(exact["tail"]) < 0.05
    assert not any("fp32" in what for what in record.failed)
    assert code == (1 if record.failed else 0), printed
    reference = backends.row(name="torch cpu fp32")
    assert reference["difference"] == 0.0 and reference["speed"] == 1.0
    assert any(
        "not run" in note for note in backends.notes
    )  # CUDA or TensorRT are never both here


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["walls"], "cannot measure walls: use some of step, agreement"),
        (["step", "--rounds", "0"], "rounds is 0"),
        (["step", "--network", "vit_x"], "--network is 'vit_x'"),
        (["step", "--preset", "best"], "unknown preset 'best'"),
        (["step", "--image", "wide"], "wide"),
    ],
)
def test_wrong_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
):
    assert main(["bench", *words, "-o", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


def test_plan_is_checked():
    with pytest.raises(ConfigError, match="nothing"):
        Plan(sections=())
    with pytest.raises(ConfigError, match="frames is 0"):
        Plan(frames=0)
