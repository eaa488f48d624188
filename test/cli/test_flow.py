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

"""`zeroco flow` on a tiny random network: what it writes, what it obeys, what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
import pickle
import re

import numpy as np
import pytest
import torch

from zeroco_ros import cli
from zeroco_ros.estimate.config import preset
from zeroco_ros.media.color import flow_to_color
from zeroco_ros.media.flow_files import read_flo
from zeroco_ros.media.images import read_image, write_image

Pair = tuple[Path, Path]
# With pytest --backend onnx: what asks for another network than the engine's.
PYTORCH_ONLY = {"--correlation", "--size", "--no-register-fix", "--head", "--device", "paper"}


@pytest.fixture
def zeroco(
    pair: Pair,
    tiny_weights: Path,
    engines: dict[str, Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
):
    """Run `zeroco flow` on the pair with the tiny network: (exit code, stdout, stderr)."""

    def run(*options: object, target: object = None, source: object = None, out: str = "out.flo"):
        images = [str(target or pair[0]), str(source or pair[1])]
        weights = [] if "--weights" in options else ["--weights", str(tiny_weights)]
        if engines and weights and not PYTORCH_ONLY & set(options):
            weights += ["--backend", "onnx", "--engine", str(engines[str(tiny_weights)])]
        command = ["flow", *images, "-o", str(tmp_path / out), *weights, *map(str, options)]
        code = cli.main(command)
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run


def test_flo_and_npz_hold_the_same_flow(zeroco, tmp_path: Path, engines: dict[str, Path]) -> None:
    assert zeroco()[0] == 0 and zeroco(out="out.npz")[0] == 0
    with np.load(tmp_path / "out.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    shapes = {name: (value.shape, value.dtype.name) for name, value in arrays.items()}
    assert shapes == {
        "flow": ((48, 64, 2), "float32"),
        "confidence": ((48, 64), "float32"),
        "occluded": ((48, 64), "bool"),
        "coarse": ((6, 8, 2) if engines else (3, 4, 2), "float32"),
        "forward_backward_error": ((48, 64), "float32"),
    }
    assert np.array_equal(arrays["flow"], read_flo(tmp_path / "out.flo"))
    assert arrays["confidence"].min() >= 0 and arrays["confidence"].max() <= 1


def test_png_is_the_color_code_and_show_adds_the_panels(
    zeroco, tmp_path: Path, pair: Pair
) -> None:
    assert zeroco()[0] == 0
    assert zeroco("--show", out="new/out.png")[0] == 0
    colors = read_image(tmp_path / "new" / "out.png")
    assert np.array_equal(colors, flow_to_color(read_flo(tmp_path / "out.flo")))
    shown = read_image(tmp_path / "new" / "out_show.png")
    assert shown.shape[1] == 5 * 64 + 4 * 4
    assert np.array_equal(shown[-48:, :64], read_image(pair[0]))
    assert np.array_equal(shown[-48:, 68:132], read_image(pair[1]))
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["out.png", "out_show.png"]


def test_one_summary_line(
    zeroco, tmp_path: Path, tiny_weights: Path, engines: dict[str, Path]
) -> None:
    code, out, error = zeroco("--preset", "fast")
    assert code == 0 and error == "" and out.count("\n") == 1
    names = f"weights {tiny_weights}, torch"
    if engines:
        names = f"engine {engines[str(tiny_weights)]}, onnx"
    assert re.fullmatch(
        rf"{re.escape(str(tmp_path))}/out\.flo: 64x48, median motion [\d.]+ px, "
        rf"mean confidence [01]\.\d\d, occluded [\d.]+ %, preset fast, "
        rf"{re.escape(names)} \w+, [\d.]+ s \(and [\d.]+ s to load\)\n",
        out,
    )


def test_explicit_options_override_the_preset(monkeypatch: pytest.MonkeyPatch, zeroco) -> None:
    from zeroco_ros.estimate import network

    seen = []
    original = network.open_flow

    def spy(config, options, **more):
        seen.append((config, options))
        return original(config, options, **more)

    monkeypatch.setattr(network, "open_flow", spy)
    options = "--preset paper --correlation encoder --beta 0.5 --zoom 2 --no-reciprocity"
    options += " --no-register-fix --size 32x48 --device cpu --threads 1"
    assert zeroco(*options.split())[0] == 0
    assert zeroco("--preset", "paper")[0] == 0
    changed, plain = seen
    assert changed[0] == replace(
        preset("paper"),
        correlation="encoder",
        beta=0.5,
        zoom=(2,),
        reciprocity=False,
        register_fix=False,
        size=(32, 48),
    )
    assert (changed[1].device, changed[1].threads, changed[1].backend) == ("cpu", 1, "auto")
    assert plain[0] == preset("paper")


@pytest.mark.parametrize(
    "options",
    [
        ["--correlation", "decoder"],
        ["--preset", "paper", "--zoom", "2", "3"],
        ["--size", "48X64"],
        ["--no-reciprocity", "--beta", "1"],
    ],
)
def test_every_way_of_matching_runs(zeroco, tmp_path: Path, options: list[str]) -> None:
    assert zeroco(*options)[0] == 0
    assert np.isfinite(read_flo(tmp_path / "out.flo")).all()


class _Trap:
    """Unpickling this writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.write_text, (self.path, "caught"))


@pytest.fixture
def bad(tmp_path: Path, tiny_weights: Path) -> dict[str, Path]:
    """Files that cannot be used, by what is wrong with them."""
    folder = tmp_path / "bad"
    folder.mkdir()
    names = (
        "text.png",
        "cut.png",
        "3x3.png",
        "cut.safetensors",
        "cut.pth",
        "trap.pth",
        "trap.pkl",
    )
    files = {name: folder / name for name in names}
    files["text.png"].write_text("this is no image")
    write_image(folder / "whole.png", np.random.default_rng(0).integers(0, 255, (64, 64, 3), "u1"))
    files["cut.png"].write_bytes((folder / "whole.png").read_bytes()[:900])
    write_image(files["3x3.png"], np.zeros((3, 3, 3), dtype=np.uint8))
    files["cut.safetensors"].write_bytes(tiny_weights.read_bytes()[:2000])
    torch.save({"model": {"a": torch.zeros(1000)}}, folder / "whole.pth")
    files["cut.pth"].write_bytes((folder / "whole.pth").read_bytes()[:1500])
    torch.save({"model": _Trap(folder / "caught_zip")}, files["trap.pth"])
    files["trap.pkl"].write_bytes(pickle.dumps({"model": _Trap(folder / "caught_plain")}))
    return files


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"target": "missing.png"}, ["missing.png"]),
        ({"source": "missing.png"}, ["missing.png"]),
        ({"target": "."}, ["folder"]),
        ({"target": "bad/text.png"}, ["text.png", "not an image"]),
        ({"source": "bad/cut.png"}, ["cut.png", "damaged"]),
        ({"target": "bad/3x3.png", "source": "bad/3x3.png"}, ["3x3.png", "16x16"]),
        ({"source": "bad/whole.png"}, ["64x48", "64x64", "scale=64:48"]),
        ({"--weights": "bad/cut.safetensors"}, ["cut.safetensors"]),
        ({"--weights": "bad/cut.pth"}, ["cut.pth"]),
        ({"--weights": "bad/trap.pth"}, ["trap.pth"]),
        ({"--weights": "bad/trap.pkl"}, ["trap.pkl"]),
        ({"--weights": "bad/text.png"}, ["text.png"]),
        ({"--weights": "huge"}, ["huge", "shipped"]),
        ({"--preset": "best"}, ["best", "fast", "default", "accurate", "paper"]),
        ({"--correlation": "dot"}, ["dot", "cross_attention", "encoder", "decoder"]),
        ({"--beta": "-1"}, ["beta", "-1", "(0, 1000]"]),
        ({"--beta": "nan"}, ["beta", "nan"]),
        ({"--zoom": "1"}, ["zoom", "1", "2 to 8"]),
        ({"--size": "big"}, ["--size", "big", "240x320"]),
        ({"--size": "100x100"}, ["100", "multiples of 16"]),
        ({"--threads": "0"}, ["threads", "0"]),
        ({"out": "out.tiff"}, [".tiff", ".flo", ".png", ".npz"]),
        ({"out": "out"}, ["missing", ".flo"]),
        ({"out": "in/target.png/out.flo"}, ["target.png", "not a folder"]),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, dict) else "",
)
def test_wrong_input_is_one_line_code_2_and_nothing_written(
    zeroco, bad: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options, told
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    named = {key: value for key, value in options.items() if not key.startswith("--")}
    flags = [
        part for key, value in options.items() if key.startswith("--") for part in (key, value)
    ]
    code, out, error = zeroco(*flags, **named)
    assert code == 2 and out == ""
    assert error.startswith("zeroco flow: ") and error.count("\n") == 1
    for word in told:
        assert word in error
    assert sorted(tmp_path.rglob("*")) == before


def test_the_trap_would_have_worked(bad: dict[str, Path], tmp_path: Path) -> None:
    pickle.loads(bad["trap.pkl"].read_bytes())
    assert (tmp_path / "bad" / "caught_plain").read_text() == "caught"


def test_cuda_on_a_machine_without_it(zeroco) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    code, _, error = zeroco("--device", "cuda")
    assert code == 2 and error.startswith("zeroco flow: device 'cuda' is not available")


def test_shipped_weights_find_a_motion(zeroco, tmp_path: Path) -> None:
    """The command without any option, on a photograph of a dependency moved by (24, 8) pixels."""
    from skimage.data import coffee

    image = np.ascontiguousarray(coffee()[100:340, 100:420])
    moved = np.ascontiguousarray(coffee()[92:332, 76:396])
    write_image(tmp_path / "a.png", image)
    write_image(tmp_path / "b.png", moved)
    options = ("--weights", "default")
    code, out, error = zeroco(*options, target=tmp_path / "a.png", source=tmp_path / "b.png")
    assert code == 0 and error == "" and "preset default, weights default" in out
    flow = read_flo(tmp_path / "out.flo")[32:-32, 32:-32]
    off = np.hypot(flow[..., 0] - 24, flow[..., 1] - 8)
    assert np.median(off) < 1 and (off < 3).mean() > 0.8


def test_options_that_play_no_part_are_named(zeroco, engines: dict[str, Path]) -> None:
    if engines:
        pytest.skip("an engine uses them")
    code, _, error = zeroco("--check", "--provider", "cpu")
    assert code == 0
    assert error == "zeroco flow: --check, --provider: not used, torch runs the network\n"
