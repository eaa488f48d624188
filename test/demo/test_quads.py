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

"""The demo's own world: pictures, depth and flow against geometry that is easy to do by hand."""

from __future__ import annotations

import numpy as np
import pytest

from zeroco_ros.demo.gallery import gallery, view_at
from zeroco_ros.demo.quads import flow_between, look, Quad, render, View
from zeroco_ros.media.panels import warped

SIZE = (48, 64)
K = np.array([[60.0, 0, 31.5], [0, 60.0, 23.5], [0, 0, 1]])
RANDOM = np.random.default_rng(0)
NOISE = RANDOM.integers(0, 256, (128, 128, 3), dtype=np.uint8)


def quad(x: float, y: float, z: float, side: float, body: int = 0) -> Quad:
    """Return a square that faces a camera at the origin, its center at (x, y, z)."""
    corner = np.array([x - side / 2, y - side / 2, z])
    return Quad(NOISE, corner, np.array([side, 0, 0]), np.array([0, side, 0]), body)


def view(x: float = 0.0, y: float = 0.0, z: float = 0.0, bodies: int = 1) -> View:
    pose = np.eye(4)
    pose[:3, 3] = x, y, z
    return View(K, pose, np.tile(np.eye(4), (bodies, 1, 1)), SIZE)


def test_depth_and_extent() -> None:
    """A square of 0.5 m at 2 m is 15 pixels wide; behind it a wall at 4 m, nothing beside it."""
    seen = look([quad(0, 0, 4, 4), quad(0, 0, 2, 0.5)], view())
    near = seen.depth == 2
    assert near.any(0).sum() == 15 or near.any(0).sum() == 16
    assert near[23, 31]
    assert seen.depth[23, 5] == pytest.approx(4)
    alone = look([quad(0, 0, 2, 0.5)], view())
    assert np.isnan(alone.depth[0, 0])
    assert np.isnan(look([quad(0, 0, -2, 0.5)], view()).depth).all()


def test_flow_of_a_sideways_step() -> None:
    """0.1 m to the right moves a point at z meters by 60 * 0.1 / z pixels to the left."""
    quads = [quad(0, 0, 4, 40), quad(0, 0, 2, 0.5)]
    now, before = look(quads, view(x=0.1)), look(quads, view())
    flow = flow_between(quads, now, before)
    known = np.isfinite(flow).all(-1)
    for depth in (2.0, 4.0):
        part = known & (np.abs(now.depth - depth) < 1e-4)
        assert part.sum() > 100
        np.testing.assert_allclose(flow[part], [[-60 * 0.1 / depth, 0]] * part.sum(), atol=1e-3)


def test_what_was_hidden_or_outside_is_unknown() -> None:
    quads = [quad(0, 0, 4, 40), quad(0, 0, 2, 0.5)]
    now, before = look(quads, view(x=0.2)), look(quads, view())
    flow = flow_between(quads, now, before)
    unknown = ~np.isfinite(flow).all(-1)
    # the camera went right: the right border is new, and so is what the near square uncovered
    assert unknown[:, -3:].all()
    row = unknown[23]
    edge = np.flatnonzero(now.depth[23] == 2)[-1]
    assert row[edge + 1 : edge + 3].all()
    assert not row[edge + 6 : -4].any()
    assert not unknown[5, 5:-4].any()


def test_a_body_that_moves() -> None:
    quads = [quad(0, 0, 4, 40), quad(0, 0, 2, 0.5, body=1)]
    now, before = view(bodies=2), view(bodies=2)
    now.bodies[1, :3, 3] = 0.1, 0.05, 0
    seen = look(quads, now)
    flow = flow_between(quads, seen, look(quads, before))
    body = (seen.hits.quad == 1) & np.isfinite(flow).all(-1)
    np.testing.assert_allclose(flow[body], [[3.0, 1.5]] * body.sum(), atol=1e-3)
    np.testing.assert_allclose(flow[2, 2], [0, 0], atol=1e-4)


def test_pictures_show_the_texture() -> None:
    flat = Quad(
        np.full((8, 8, 3), (200, 100, 50), np.uint8),
        np.array([-4.0, -4, 2]),
        np.array([8.0, 0, 0]),
        np.array([0, 8.0, 0]),
    )
    assert (render([flat], view()) == (200, 100, 50)).all()
    halves = np.zeros((16, 16, 3), np.uint8)
    halves[:, 8:, 0] = 255
    shown = render([Quad(halves, flat.corner, flat.right, flat.down)], view())
    assert (shown[:, :23, 0] == 0).all()
    assert (shown[:, 41:, 0] == 255).all()


def test_the_gallery_moves_as_it_says() -> None:
    """Undoing the exact flow makes neighboring pictures equal; doing nothing does not."""
    quads = gallery()
    for time in (0.4, 1.6, 4.0):
        now, before = view_at(time, (120, 160)), view_at(time - 0.1, (120, 160))
        flow = flow_between(quads, look(quads, now), look(quads, before))
        known = np.isfinite(flow).all(-1)
        assert known.mean() > 0.85
        current, previous = render(quads, now), render(quads, before)
        pulled = warped(previous, np.where(known[..., None], -flow, 0))
        change = np.abs(current.astype(int) - pulled)[known].mean()
        still = np.abs(current.astype(int) - previous)[known].mean()
        assert change < 0.35 * still
