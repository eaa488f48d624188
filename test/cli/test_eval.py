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

"""`zeroco eval` on a folder of two small pairs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from zeroco_ros import cli
from zeroco_ros.media.flow_files import write_flo
from zeroco_ros.media.images import read_image, write_image

Pair = tuple[Path, Path]


@pytest.fixture
def data(pair: Pair, tmp_path: Path) -> Path:
    """Pairs `a` and `b`: 5 px to the right, known everywhere but in the outer columns."""
    folder = tmp_path / "mine"
    flow = np.tile(np.float32([5, 0]), (48, 64, 1))
    flow[:, -8:] = np.nan
    for name in "ab":
        for number, path in zip("12", pair, strict=True):
            write_image(folder / f"{name}_img{number}.png", read_image(path))
        write_flo(folder / f"{name}_flow.flo", flow)
    return folder


def test_one_table_on_screen_as_page_and_as_json(
    data: Path, tiny_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, numbers = tmp_path / "out" / "page.md", tmp_path / "out" / "numbers.json"
    command = f"eval flow --data {data} --methods zero,dis,fast --weights {tiny_weights}"
    command += " --head none"
    command += f" --markdown {page} --json {numbers} --threads 1 --no-cost"
    assert cli.main(command.split()) == 0
    printed = capsys.readouterr().out
    report = json.loads(numbers.read_text())
    (found,) = report["sets"]
    assert found["name"] == "mine" and list(found["methods"]) == ["zero", "dis", "fast"]
    zero = found["methods"]["zero"]
    assert zero["aepe"] == 5 and zero["pck"] == [0, 0, 1] and zero["pairs"] == 2
    assert zero["valid"] == 2 * 48 * 56
    assert set(found["methods"]["fast"]["ause"]) == {"confidence", "fb_error"}
    assert found["methods"]["fast"]["calibration"]["equal_mass"]["ece"] >= 0
    assert "AEPE / DIS" in printed and report["costs"] == []
    for name in ("zero", "dis", "fast"):
        aepe = f"{found['methods'][name]['aepe']:.2f}"
        assert aepe in printed and aepe in page.read_text()
    for fact in ("command", "date", "machine", "versions", "weights"):
        assert f"- {fact}: {report['facts'][fact]}" in page.read_text()


def test_without_ours_no_model_is_loaded(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from zeroco_ros.estimate import flow

    monkeypatch.setattr(flow, "FlowEstimator", None)
    command = ["eval", "flow", "--data", str(data), "--methods", "zero,zero", "--no-cost"]
    assert cli.main(command) == 0
    assert capsys.readouterr().out.count("zero") == 1


def test_time_and_memory_stand_below(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["eval", "flow", "--data", str(data), "--methods", "zero"]) == 0
    table = capsys.readouterr().out.split("\n\n")[1]
    assert [line.split("  ")[0] for line in table.splitlines()] == [
        "64x48",
        "ms, 1 thread",
        "ms, 2 threads",
        "memory MB",
    ]


def test_robustness_writes_table_curves_and_numbers(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "out"
    command = f"eval robustness --data {data} --methods zero,dis --changes rotation,blur"
    assert cli.main([*command.split(), "--pairs", "1", "-o", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        f"robustness.{kind}" for kind in ("json", "md", "png")
    ]
    report = json.loads((out / "robustness.json").read_text())
    assert [curve["perturbation"] for curve in report["curves"]] == ["rotation", "blur"]
    page = (out / "robustness.md").read_text()
    assert "(robustness.png)" in page and "## Rotation" in page and "- command: " in page
    assert "mine  rotation  0" in capsys.readouterr().out


def test_confidence_writes_table_diagrams_and_numbers(
    data: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    page, picture = tmp_path / "docs" / "page.md", tmp_path / "images" / "curve.png"
    command = f"eval confidence --data {data} --methods fast,coarse --weights {tiny_weights}"
    command += " --head none"
    command += f" --markdown {page} --picture {picture} --threads 1"
    assert cli.main(command.split()) == 0
    assert "(../images/curve.png)" in page.read_text() and "| mine | coarse |" in page.read_text()
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_another_learned_head_by_file(data: Path, tiny_weights: Path, tmp_path: Path) -> None:
    from zeroco_ros.heads.checkpoint import build_head, save_head

    sizes = {"widths": [8, 8, 8], "match": 8, "context": 8, "hidden": 8}
    head, numbers = tmp_path / "head.safetensors", tmp_path / "numbers.json"
    save_head(head, build_head("recurrent", {**sizes, "iterations": [1, 1], "radius": [2, 2]}))
    command = f"eval flow --data {data} --methods head,default,coarse,coarse-dis --no-cost"
    command += f" --weights {tiny_weights} --head {head} --json {numbers} --threads 1"
    assert cli.main(command.split()) == 0
    report = json.loads(numbers.read_text())
    errors = {name: one["aepe"] for name, one in report["sets"][0]["methods"].items()}
    assert len(set(errors.values())) == 4  # the head and the refinement both take part
    assert report["facts"]["head"].startswith("head.safetensors, sha256 ")


def test_hpatches_by_name_has_its_published_numbers_beside(
    pair: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = tmp_path / "hpatches" / "v_wall"
    for k in range(1, 7):
        write_image(scene / f"{k}.ppm", read_image(pair[min(k, 2) - 1]))
        if k > 1:
            (scene / f"H_1_{k}").write_text("1 0 -5\n0 1 0\n0 0 1\n")
    command = f"eval flow --dataset hpatches --data {scene.parent} --methods zero --no-cost"
    assert cli.main(command.split()) == 0
    measured, published = capsys.readouterr().out.split("\n\n")
    assert [f"hpatches-{k} " in measured for k in ("I", "II", "III", "IV", "V")] == [True] * 5
    assert "5 pairs 64x48" in measured and "not measured here" in published
    assert "ZeroCo-flow" in published and "13.61" in published


def test_procedural_pairs_need_no_data(capsys: pytest.CaptureFixture[str]) -> None:
    command = "eval flow --dataset procedural --sets homography-mild --pairs 1 --methods zero,dis"
    assert cli.main([*command.split(), "--no-cost"]) == 0
    printed = capsys.readouterr().out
    assert "homography-mild" in printed and "1 pair 640x480" in printed
    (errors,) = [line for line in printed.splitlines() if "AEPE px" in line]
    zero, dis = map(float, errors.split()[-2:])
    assert dis < 0.5 * zero  # the flow's direction and unit are those of the pictures


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--data", "nowhere"], ["nowhere", "not a folder"]),
        (["--data", "in"], ["in holds no flow data"]),
        (["--methods", "raft"], ["raft", "default", "farneback"]),
        (["--methods", ","], ["--methods", "empty"]),
        (["--sets", "graf"], ["graf", "mine"]),
        (["--weights", "none"], ["none", "shipped"]),
        (["--threads", "0"], ["--threads", "0"]),
        (["--json", "mine/a_img1.png/x.json"], ["a_img1.png", "not a folder"]),
        (["--dataset", "spring"], ["spring", "hpatches-240", "procedural"]),
        (["--dataset", "eth3d"], ["mine", "info_ETH3D_files"]),
        (["--pairs", "0"], ["--pairs", "0"]),
        (["--picture", "x.png"], ["--picture", "robustness"]),
    ],
)
def test_wrong_options_are_one_line_and_code_2(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    told: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert cli.main(["eval", "flow", "--data", "mine", "--methods", "fast", *options]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert captured.err.startswith("zeroco eval: ")
    for word in told:
        assert word in captured.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("flow --methods zero", ["--data", "missing"]),
        ("robustness --data mine --methods zero --changes fog", ["fog", "rotation", "jpeg"]),
        ("confidence --data mine --methods dis", ["dis", "no confidence", "default"]),
        ("speed --data mine", ["speed", "flow"]),
    ],
)
def test_wrong_uses_are_one_line_and_code_2(
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    told: list[str],
) -> None:
    monkeypatch.chdir(data.parent)
    try:
        code = cli.main(["eval", *command.split()])
    except SystemExit as end:  # argparse's own way
        code = end.code
    captured = capsys.readouterr()
    assert code == 2 and captured.out == "" and captured.err.count("\n") == 1
    for word in told:
        assert word in captured.err


def test_a_damaged_pair_is_named(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "b_img2.png").write_bytes(b"broken")
    assert cli.main(["eval", "flow", "--data", str(data), "--methods", "zero"]) == 2
    assert "b_img2.png" in capsys.readouterr().err


def test_depth_on_rendered_sequences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setattr("zeroco_ros.commands.eval_procedural.SEQUENCE_SIZE", (96, 128))
    out = tmp_path / "out"
    command = "eval depth --dataset procedural --sets world-walk,world-static --frames 5"
    assert cli.main([*command.split(), "--methods", "dis,constant", "-o", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        f"depth.{k}" for k in ("json", "md", "png")
    ]
    report = json.loads((out / "depth.json").read_text())
    walk, static = report["sequences"]
    assert (walk["name"], static["name"]) == ("world-walk", "world-static")
    assert set(walk["methods"]) == {"dis, given poses", "dis, estimated poses", "constant"}
    assert walk["methods"]["dis, given poses"]["depth"]["coverage"] > 0.9
    assert static["methods"]["dis, given poses"]["depth"]["coverage"] < 0.1
    page, printed = (out / "depth.md").read_text(), capsys.readouterr().out
    assert "(depth.png)" in page and "| world-walk | constant |" in page
    assert "world-static" in printed and "AbsRel" in printed


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("", ["--data", "missing"]),
        ("--dataset hpatches", ["hpatches", "procedural"]),
        ("--data .", ["no posed sequence", "7-Scenes"]),
        ("--dataset procedural --frames 0", ["--frames", "0"]),
        ("--dataset procedural --sets kitchen", ["kitchen", "world-walk"]),
        ("--dataset procedural --methods sift", ["sift", "geometric", "constant"]),
        ("--dataset procedural --poses mine", ["--poses", "mine"]),
    ],
)
def test_wrong_options_of_depth(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: str,
    told: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code = cli.main(["eval", "depth", "--methods", "constant", *options.split()])
    except SystemExit as end:  # argparse's own way
        code = end.code
    captured = capsys.readouterr()
    assert code == 2 and captured.out == "" and captured.err.count("\n") == 1
    for word in told:
        assert word in captured.err
