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

"""ETH3D's interval lists in the format in which they are distributed: pickled numpy scalars."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
import pickle

import numpy as np
import pytest

from zeroco_ros.errors import ImageError
from zeroco_ros.evaluation.datasets import find_sets
from zeroco_ros.evaluation.eth3d import list_file, read_list
from zeroco_ros.evaluation.evaluate import evaluate
from zeroco_ros.evaluation.methods import make_method
from zeroco_ros.media.images import write_image

KEYS = ("Xs", "Ys", "Xt", "Yt")


def _entry(points: np.ndarray, source: str, target: str) -> dict[str, object]:
    """points: (N, 4) as in KEYS, stored as lists of numpy scalars."""
    columns = {key: list(column) for key, column in zip(KEYS, points.T, strict=True)}
    return {"source_image": source, "target_image": target, **columns}


def _write(root: Path, sequence: str, rate: int, entries: object, protocol: int = 2) -> Path:
    path = list_file(root, sequence, rate)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(entries, protocol=protocol))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two sequences at rate 3, one at rate 5; points move by 2, 4 and 10 px to the right."""
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    for name in ("0.png", "1.png"):
        write_image(tmp_path / "multiview_testing" / "lakeside" / name, image)
    names = [f"multiview_testing/lakeside/{k}.png" for k in (0, 1)]

    def moved(dx: float) -> dict[str, object]:
        target = np.array([[3.2, 4.4], [8.0, 9.0]])
        return _entry(np.concatenate([target + np.array([dx, 0]), target], axis=1), *names)

    _write(tmp_path, "lakeside", 3, [moved(2), moved(4)])
    _write(tmp_path, "tunnel", 3, [moved(10)])
    _write(tmp_path, "lakeside", 5, [moved(1)])
    return tmp_path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64])
def test_points_come_out_as_they_went_in(protocol: int, kind: type, tmp_path: Path) -> None:
    points = np.arange(12, dtype=kind).reshape(3, 4)
    path = _write(tmp_path, "forest", 7, [_entry(points, "s.png", "t.png")], protocol)
    (entry,) = read_list(path)
    assert (entry.source_image, entry.target_image) == ("s.png", "t.png")
    assert np.array_equal(entry.source, points[:, :2]) and entry.source.dtype == np.float32
    assert np.array_equal(entry.target, points[:, 2:])


def test_the_references_points_make_the_references_flow(
    golden: Callable[[str], dict[str, np.ndarray]], tmp_path: Path
) -> None:
    data = golden("eval_protocol")
    points = np.stack([data[f"eth_{key}"] for key in KEYS], axis=1)
    _write(tmp_path, "electro", 3, [_entry(points, "a/s.png", "a/t.png")])
    for name in ("s", "t"):
        write_image(tmp_path / "a" / f"{name}.png", np.zeros((240, 320, 3), dtype=np.uint8))
    (flow_set,) = find_sets(tmp_path, dataset="eth3d")
    (pair,) = flow_set
    assert np.array_equal(np.array(np.nonzero(pair.valid)), data["eth_mask_nonzero_yx"])
    assert np.abs(pair.flow[pair.valid].T - data["eth_flow_at_mask"]).max() < 1e-4


def test_rates_are_sets_averaged_over_sequences(root: Path) -> None:
    sets = find_sets(root, dataset="eth3d")
    assert [(one.name, len(one), one.part_of) for one in sets] == [
        ("eth3d-3", 3, "eth3d"),
        ("eth3d-5", 1, "eth3d"),
    ]
    assert "2 of 10 sequences" in sets[0].about
    assert [one.name for one in find_sets(root)] == ["eth3d-3", "eth3d-5"]
    pair = sets[0].loaders[0]()
    assert np.argwhere(pair.valid).tolist() == [[4, 3], [9, 8]]
    assert np.allclose(pair.flow[pair.valid], (2, 0))
    three, five, whole = evaluate(sets, [make_method("zero")])
    # images within sequences first: (mean of 2 and 4, 10); the whole: three (rate, sequence)s
    assert three.methods[0].score.aepe == pytest.approx((3 + 10) / 2)
    assert five.methods[0].score.aepe == pytest.approx(1)
    assert whole.name == "eth3d"
    assert whole.methods[0].score.aepe == pytest.approx((3 + 10 + 1) / 3)


class _Harmful:
    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return Path.touch, (Path("/nowhere/touched"),)


def test_nothing_in_a_list_is_executed(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="refused, because it asks for"):
        read_list(_write(tmp_path, "forest", 3, [_Harmful()]))
    with pytest.raises(ImageError, match="refused"):
        read_list(_write(tmp_path, "forest", 3, [{"Xs": np.dtype, "Ys": eval}]))


@pytest.mark.parametrize(
    "content",
    [
        5,
        [5],
        [{"Xs": [1.0]}],
        [_entry(np.full((2, 4), np.nan), "s", "t")],
        [{**_entry(np.zeros((2, 4)), "s", "t"), "Xs": [1.0]}],
        [{**_entry(np.zeros((2, 4)), "s", "t"), "source_image": 7}],
    ],
)
def test_other_content_is_told(content: object, tmp_path: Path) -> None:
    path = _write(tmp_path, "forest", 3, content)
    with pytest.raises(ImageError, match="forest_every_5_rate_of_3"):
        read_list(path)


def test_damaged_lists_and_paths_that_lead_out_are_told(root: Path) -> None:
    path = list_file(root, "lakeside", 5)
    whole = path.read_bytes()
    for damaged in (b"", whole[:40], b"x" + whole):
        path.write_bytes(damaged)
        with pytest.raises(ImageError, match="lakeside_every_5_rate_of_5"):
            find_sets(root)
    _write(root, "lakeside", 5, [_entry(np.zeros((1, 4)), "../s.png", "../t.png")])
    outside = {one.name: one for one in find_sets(root)}["eth3d-5"]
    with pytest.raises(ImageError, match="leads out"):
        outside.loaders[0]()
