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

"""
The demo's own world: a gallery of photographs that a camera drives through.

All pictures come from scikit-image's wheel and are free to use (see training.photos.BUNDLED).
World axes: x right, y ahead, z up, in meters; body 0 is the room, 1 slides, 2 turns.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.demo.quads import Quad, View
from zeroco_ros.training.photos import BUNDLED, read_rgb

Pixels = npt.NDArray[np.uint8]
Vector = npt.NDArray[np.float64]

WIDTH, DEPTH, HEIGHT = 8.0, 4.4, 3.0
FIELD_OF_VIEW = 65.0  # degrees
DURATION = 6.0  # seconds
_UP = np.array([0.0, 0.0, 1.0])

# picture, center across the back wall, center height, width
POSTERS = (
    ("coffee.png", -3.0, 1.5, 1.3),
    ("chelsea.png", -1.5, 1.75, 1.35),
    ("astronaut.png", 0.0, 1.6, 1.2),
    ("rocket.jpg", 1.45, 1.75, 1.35),
    ("retina.jpg", 2.95, 1.6, 1.2),
)
# picture, tint, center x and y on the floor, side, height, turn in degrees, body
BOXES = (
    ("coins.png", (1.1, 0.9, 0.55), -1.15, 1.75, 0.5, 0.85, 20.0, 0),
    ("camera.png", (0.75, 0.95, 1.15), 1.3, 1.9, 0.55, 0.6, -25.0, 0),
    ("grass.png", (0.9, 1.15, 0.8), -2.2, 3.1, 0.7, 0.9, 35.0, 0),
    ("clock_motion.png", (1.2, 0.7, 0.65), 0.0, 3.5, 0.5, 0.6, 0.0, 1),
    ("ihc.png", (1.0, 1.0, 1.0), 0.1, 2.4, 0.55, 1.0, 0.0, 2),
)
# The drive: seconds; degrees around the pivot; meters from it; camera height; roll in degrees.
# First around it, so that what is behind it and what is before it move against each other, then
# nearer and back, with a turn of the head. Fast, as a hand or a drone moves.
PIVOT = np.array([0.0, 2.5, 1.15])
DRIVE = np.array(
    [
        [0.0, -52.0, 2.7, 1.35, 0.0],
        [2.0, 46.0, 2.8, 1.25, 0.0],
        [3.4, -8.0, 1.9, 1.45, 5.0],
        [4.7, -40.0, 2.5, 1.30, -4.0],
        [6.0, 6.0, 1.75, 1.40, 0.0],
    ]
)


def gallery() -> list[Quad]:
    """Return the quads of the room, its pictures and its boxes."""
    rng = np.random.default_rng(7)
    quads = _room(rng)
    for name, x, z, width in POSTERS:
        quads += _poster(_photo(name), x, z, width)
    for name, tint, x, y, side, height, turn, body in BOXES:
        quads += _box(_tinted(_photo(name), tint), (x, y), side, height, np.radians(turn), body)
    return quads


def view_at(time: float, size: tuple[int, int]) -> View:
    """Return the camera and the bodies `time` seconds into the drive of DURATION seconds."""
    angle, radius, height, roll = (_eased(time, DRIVE[:, 0], track) for track in DRIVE.T[1:])
    around = np.radians(angle)
    eye = PIVOT + radius * np.array([np.sin(around), -np.cos(around), 0.0])
    eye[2] = height
    pose = _look(eye, PIVOT)
    cosine, sine = np.cos(np.radians(roll)), np.sin(np.radians(roll))
    pose[:3, :3] = pose[:3, :3] @ np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    return View(_intrinsics(size), pose, _bodies(time), size)


def _eased(time: float, times: Vector, values: Vector) -> float:
    """Between two key times, with a soft start and a soft stop."""
    after = int(np.clip(np.searchsorted(times, time), 1, len(times) - 1))
    share = np.clip((time - times[after - 1]) / (times[after] - times[after - 1]), 0.0, 1.0)
    soft = 0.7 * share * share * (3 - 2 * share) + 0.3 * share
    return float(values[after - 1] + soft * (values[after] - values[after - 1]))


def _bodies(time: float) -> npt.NDArray[np.float64]:
    """One box slides along the wall, one turns about itself."""
    bodies = np.tile(np.eye(4), (3, 1, 1))
    bodies[1, 0, 3] = 1.7 - 3.4 * time / DURATION
    angle = np.radians(50.0) * time
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    center = np.array(next(box[2:4] for box in BOXES if box[-1] == 2))
    bodies[2, :2, :2] = turn
    bodies[2, :2, 3] = center - turn @ center
    return bodies


def _intrinsics(size: tuple[int, int]) -> npt.NDArray[np.float64]:
    height, width = size
    focal = width / 2 / np.tan(np.radians(FIELD_OF_VIEW) / 2)
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])


def _look(eye: Vector, target: Vector) -> npt.NDArray[np.float64]:
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, _UP)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    pose[:3, 3] = eye
    return pose


def _room(rng: np.random.Generator) -> list[Quad]:
    """Brick walls, a gravel floor, a ceiling of plaster."""
    brick, gravel = _photo("brick.png"), _photo("gravel.png")
    plaster = np.clip(np.array([205, 200, 190]) + rng.normal(0, 30, (256, 256, 1)), 0, 255)
    plaster = cv2.GaussianBlur(plaster.astype(np.uint8), (0, 0), 2.5)
    left, right, near = -WIDTH / 2, WIDTH / 2, -1.0
    across, ahead, down = (
        np.array([WIDTH, 0, 0]),
        np.array([0, DEPTH - near, 0]),
        np.array([0, 0, -HEIGHT]),
    )
    back = np.array([left, DEPTH, HEIGHT])
    walls = [
        (_tiled(_tinted(brick, (1.0, 0.93, 0.85)), 5, 2), back, across, down),
        (_tiled(_tinted(brick, (0.8, 0.88, 1.0)), 4, 2), [left, near, HEIGHT], ahead, down),
        (_tiled(_tinted(brick, (0.9, 1.0, 0.85)), 4, 2), [right, DEPTH, HEIGHT], -ahead, down),
        (_tiled(_tinted(gravel, (0.95, 0.9, 0.8)), 5, 4), [left, DEPTH, 0], across, -ahead),
        (_tiled(plaster, 5, 4), [left, near, HEIGHT], across, ahead),
    ]
    return [Quad(t, np.asarray(c, np.float64), r, d) for t, c, r, d in walls]


def _poster(photo: Pixels, x: float, z: float, width: float) -> list[Quad]:
    """Return a photograph in a dark frame, a hand's breadth before the back wall."""
    height = width * photo.shape[0] / photo.shape[1]
    margin = max(photo.shape[:2]) // 24
    framed = cv2.copyMakeBorder(
        photo, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=(38, 30, 26)
    )
    corner = np.array([x - width / 2, DEPTH - 0.06, z + height / 2])
    return [Quad(framed, corner, np.array([width, 0, 0]), np.array([0, 0, -height]))]


def _box(
    photo: Pixels, center: tuple[float, float], side: float, height: float, turn: float, body: int
) -> list[Quad]:
    """Four sides and a top, each face in another light."""
    x_axis = np.array([np.cos(turn), np.sin(turn), 0.0])
    y_axis = np.array([-np.sin(turn), np.cos(turn), 0.0])
    middle, half = np.array([*center, 0.0]), side / 2
    quads = []
    for along, outward, shade in (
        (x_axis, -y_axis, 1.0),
        (y_axis, x_axis, 0.78),
        (-x_axis, y_axis, 0.65),
        (-y_axis, -x_axis, 0.88),
    ):
        corner = middle + half * (outward - along) + height * _UP
        face = _tinted(_cropped(photo, side / height), (shade, shade, shade))
        quads.append(Quad(face, corner, side * along, -height * _UP, body))
    corner = middle + half * (y_axis - x_axis) + height * _UP
    top = _tinted(_cropped(photo, 1.0), (1.1, 1.08, 1.05))
    quads.append(Quad(top, corner, side * x_axis, -side * y_axis, body))
    return quads


def _photo(name: str) -> Pixels:
    """Return a photograph of scikit-image by its file name, one of those with free terms."""
    import skimage

    assert name in BUNDLED
    return read_rgb(Path(skimage.__file__).parent / "data" / name)


def _tiled(texture: Pixels, across: int, along: int) -> Pixels:
    """Repeated, every second one mirrored, so that no seam shows."""
    pair = np.concatenate([texture, texture[:, ::-1]], axis=1)
    row = np.tile(pair, (1, (across + 1) // 2, 1))[:, : across * texture.shape[1]]
    both = np.concatenate([row, row[::-1]], axis=0)
    return np.tile(both, ((along + 1) // 2, 1, 1))[: along * texture.shape[0]]


def _tinted(texture: Pixels, gain: tuple[float, float, float]) -> Pixels:
    return np.clip(texture * np.asarray(gain), 0, 255).astype(np.uint8)


def _cropped(photo: Pixels, aspect: float) -> Pixels:
    """Return the middle of a photograph with the given width / height."""
    height, width = photo.shape[:2]
    wide, high = min(width, round(height * aspect)), min(height, round(width / aspect))
    x, y = (width - wide) // 2, (height - high) // 2
    return photo[y : y + high, x : x + wide]
