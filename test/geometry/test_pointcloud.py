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

"""Points of depth images, and PLY files read back by their own rules."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest

from zeroco_ros.errors import ConfigError
from zeroco_ros.geometry.pointcloud import unproject, write_ply
from zeroco_ros.geometry.transforms import inverse, se3_exp

K = np.array([[500.0, 0, 31.5], [0, 480, 23.5], [0, 0, 1]])
POSE = se3_exp(np.array([1, -2, 0.5, 0.1, 0.7, -0.3]))


def test_points_project_back_to_their_pixels():
    depth = np.random.default_rng(0).uniform(0.5, 9, (48, 64)).astype(np.float32)
    points = unproject(depth, K)
    assert points.dtype == np.float32
    np.testing.assert_allclose(points[..., 2], depth)
    flat = points.reshape(-1, 3).astype(np.float64)
    pixels, _ = cv2.projectPoints(flat, np.zeros(3), np.zeros(3), K, None)
    y, x = np.indices((48, 64))
    np.testing.assert_allclose(pixels.reshape(48, 64, 2), np.stack([x, y], -1), atol=1e-3)


def test_points_in_the_world_are_seen_by_the_camera_where_they_were():
    depth = np.full((48, 64), 3, np.float32)
    world = unproject(depth, K, POSE).reshape(-1, 3)
    back = inverse(POSE)
    own = world @ back[:3, :3].T + back[:3, 3]
    np.testing.assert_allclose(own, unproject(depth, K).reshape(-1, 3), atol=1e-5)


def test_unknown_depth_is_no_point():
    depth = np.array([[1, np.nan, 0], [-1, np.inf, 2]], np.float32)
    known = np.isfinite(unproject(depth, K)).all(axis=-1)
    np.testing.assert_array_equal(known, [[True, False, False], [False, False, True]])


def read_ply(content: bytes) -> tuple[list[str], np.ndarray]:
    head, body = content.split(b"end_header\n", 1)
    lines = head.decode("ascii").splitlines()
    kinds = {"float": "<f4", "uchar": "u1"}
    fields = [(line.split()[2], kinds[line.split()[1]]) for line in lines if "property" in line]
    return lines, np.frombuffer(body, dtype=fields)


@pytest.mark.parametrize("into", ["path", "file"])
def test_a_colored_cloud(tmp_path: Path, into: str):
    rng = np.random.default_rng(1)
    points = rng.normal(size=(4, 5, 3)).astype(np.float32)
    colors = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    points[1, 2, 0] = np.nan
    points[3, 4, 2] = np.inf
    if into == "path":
        assert write_ply(tmp_path / "cloud.ply", points, colors) == 18
        content = (tmp_path / "cloud.ply").read_bytes()
    else:
        buffer = io.BytesIO()
        assert write_ply(buffer, points, colors) == 18
        content = buffer.getvalue()
    lines, vertices = read_ply(content)
    assert lines[:3] == ["ply", "format binary_little_endian 1.0", "element vertex 18"]
    assert len(content) == len("\n".join(lines)) + 1 + len("end_header\n") + 18 * 15
    known = np.isfinite(points).all(axis=-1)
    np.testing.assert_array_equal(np.stack([vertices[n] for n in "xyz"], -1), points[known])
    got = np.stack([vertices[n] for n in ("red", "green", "blue")], -1)
    np.testing.assert_array_equal(got, colors[known])


def test_without_colors_and_without_points(tmp_path: Path):
    lines, vertices = read_ply(_written(np.ones((2, 3))))
    assert [line for line in lines if "property" in line][-1] == "property float z"
    assert len(vertices) == 2
    lines, vertices = read_ply(_written(np.full((2, 3), np.nan)))
    assert lines[2] == "element vertex 0"
    assert len(vertices) == 0


def _written(points: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    write_ply(buffer, points)
    return buffer.getvalue()


def test_what_does_not_fit_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="needed"):
        unproject(np.ones(3), K)
    with pytest.raises(ConfigError, match="4x4"):
        unproject(np.ones((2, 2)), K, np.eye(3))
    with pytest.raises(ConfigError, match="points need"):
        write_ply(tmp_path / "a.ply", np.ones((2, 2)))
    for colors in (np.ones((2, 3)), np.ones((3, 3), np.uint8)):
        with pytest.raises(ConfigError, match="colors must"):
            write_ply(tmp_path / "a.ply", np.ones((2, 3)), colors)
    with pytest.raises(ConfigError, match="cannot write"):
        write_ply(tmp_path / "none" / "a.ply", np.ones((2, 3)))
