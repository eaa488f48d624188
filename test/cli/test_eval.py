"""`zeroco eval flow` on a folder of two small pairs."""

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
    command += f" --markdown {page} --json {numbers} --threads 1"
    assert cli.main(command.split()) == 0
    printed = capsys.readouterr().out
    report = json.loads(numbers.read_text())
    (found,) = report["sets"]
    assert found["name"] == "mine" and list(found["methods"]) == ["zero", "dis", "fast"]
    zero = found["methods"]["zero"]
    assert zero["aepe"] == 5 and zero["pck"] == [0, 0, 1] and zero["pairs"] == 2
    assert zero["valid"] == 2 * 48 * 56
    assert set(found["methods"]["fast"]["sparsification"]) == {"confidence", "fb_error"}
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
    assert cli.main(["eval", "flow", "--data", str(data), "--methods", "zero,zero"]) == 0
    assert capsys.readouterr().out.count("zero") == 1


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


def test_a_damaged_pair_is_named(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "b_img2.png").write_bytes(b"broken")
    assert cli.main(["eval", "flow", "--data", str(data), "--methods", "zero"]) == 2
    assert "b_img2.png" in capsys.readouterr().err
