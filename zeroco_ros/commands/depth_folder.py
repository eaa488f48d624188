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

"""The folder that `zeroco depth` fills: maps, cloud, trajectory, pictures."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ConfigError
from zeroco_ros.geometry.pointcloud import write_ply
from zeroco_ros.geometry.voxel_cloud import VoxelCloud
from zeroco_ros.media.animation import write_animation
from zeroco_ros.media.atomic import atomic_write
from zeroco_ros.media.depth_color import DepthRange, typical_range
from zeroco_ros.media.depth_files import FARTHEST, write_array, write_depth_png
from zeroco_ros.media.depth_panels import depth_row, depth_strip
from zeroco_ros.media.images import write_image
from zeroco_ros.media.panels import side_by_side
from zeroco_ros.sequence.camera_file import write_camera
from zeroco_ros.sequence.pose_files import write_tum

if TYPE_CHECKING:
    from zeroco_ros.estimate.results import DepthResult

Floats = npt.NDArray[np.float32]

PANEL_WIDTH = 400  # pixels of a panel of the strip and the animation
STRIP_ROWS = 4
ANIMATED = 60  # frames at most; twice as many are held until the end is known
VOXEL_SHARE = 0.005  # of the first key frame's median depth
_GIVEN = "given"  # the world of the poses that came with the recording
UNFINISHED = '{"finished": false}\n'
POSED = ("ok", "static", "rotation")  # states whose pose says something


@dataclass(frozen=True)
class _Shown:
    """A reduced frame for the pictures."""

    name: str
    image: npt.NDArray[np.uint8]
    depth: Floats
    sigma: Floats
    metric: bool


@dataclass
class _World:
    """What is told in one unit and from one origin."""

    metric: bool = False
    cloud: VoxelCloud | None = None
    stamps: list[int] = field(default_factory=list)
    poses: list[npt.NDArray[np.float64]] = field(default_factory=list)
    views: int = 0


class DepthFolder:
    """
    Takes results one by one and writes them; `finish` writes what needs all of them.

    out: the folder; what an earlier run left there is removed, and nothing else. npy: arrays too
    where pictures are possible. voxel: edge of the cloud's voxels, None chooses. max_sigma: of the
    cloud's points as a share of their depth. Raises ConfigError for a folder that cannot be
    written.
    """

    def __init__(
        self, out: Path, *, npy: bool = False, voxel: float | None = None, max_sigma: float = 0.05
    ) -> None:
        self.out = _prepared(out)
        self.written: list[str] = []
        self.beyond = 0  # pixels too far for a 16-bit picture
        self._npy, self._voxel, self._max_sigma = npy, voxel, max_sigma
        self._worlds: dict[str, _World] = defaultdict(_World)
        self._world, self._starts = "", 0
        self._shown: list[_Shown] = []
        self._every, self._seen, self._maps = 1, 0, set[str]()
        self._camera: tuple[npt.NDArray[np.float64], tuple[int, int]] | None = None

    def add(self, name: str, result: DepthResult, *, posed: bool) -> None:
        """Write one frame's maps, and remember what the rest needs. posed: its pose was given."""
        metric = result.scale == "metric"
        self._write_maps(name, result, metric)
        self._camera = result.K, result.depth.shape[:2]
        world = self._worlds[self._world_of(result, posed)]
        world.metric = metric
        if result.state in POSED:
            world.stamps.append(result.stamp)
            world.poses.append(result.pose)
        if result.keyframe and result.state == "ok":
            self._fuse(world, result)
        if self._seen % self._every == 0:
            self._shown.append(_reduced(name, result))
            if len(self._shown) >= 2 * ANIMATED:
                self._shown, self._every = self._shown[::2], 2 * self._every
        self._seen += 1

    def finish(self) -> dict[str, object]:
        """
        Write cloud, trajectory, camera and pictures; what is in them.

        Of a recording with several worlds (some frames without a pose, or tracking that was lost
        and began anew) one is told: that of the given poses, else the metric or longest one. Two
        units or origins do not make one cloud.
        """
        told = [world for world in self._worlds.values() if world.poses]
        given = self._worlds.get(_GIVEN)
        world = max(told, key=lambda w: (w is given, w.metric, len(w.poses)), default=_World())
        facts: dict[str, object] = {
            "cloud_points": 0,
            "cloud_views": world.views,
            "worlds": len(told),
            "frames_told": len(world.poses),
            "frames_placed": sum(len(w.poses) for w in told),
        }
        if world.cloud is not None and len(world.cloud):
            points, colors = world.cloud.points()
            with atomic_write(self.out / "cloud.ply") as handle:
                write_ply(handle, points, colors)
            facts |= {"cloud_points": len(points), "cloud_voxel": world.cloud.voxel}
            self.written.append("cloud.ply")
        if world.poses:
            write_tum(self.out / "trajectory.txt", world.stamps, world.poses)
            self.written.append("trajectory.txt")
        if self._camera is not None:
            K, (height, width) = self._camera
            write_camera(self.out / "camera.yaml", K, width, height)
            self.written.append("camera.yaml")
        if self._shown:
            self._draw()
        return facts

    def _world_of(self, result: DepthResult, posed: bool) -> str:
        """
        Return the world that a result's pose and scale belong to.

        An estimate that starts anew has a unit and an origin of its own; in metric stretches
        between given poses it goes on in theirs.
        """
        if posed:
            self._world = _GIVEN
        elif result.state == "starting" and result.keyframe:
            self._starts += 1
            self._world = f"{result.scale} {self._starts}"
        elif not (self._world == _GIVEN and result.scale == "metric"):
            self._world = f"{result.scale} {self._starts}"
        return self._world

    def _write_maps(self, name: str, result: DepthResult, metric: bool) -> None:
        for kind, values in (("depth", result.depth), ("sigma", result.sigma)):
            if metric:
                write_depth_png(self.out / kind / f"{name}.png", values)
                self._maps.add(f"{kind}/*.png")
            if self._npy or not metric:
                write_array(self.out / kind / f"{name}.npy", values)
                self._maps.add(f"{kind}/*.npy")
        if metric:
            self.beyond += int((result.depth >= FARTHEST).sum())
        self.written = sorted(self._maps)

    def _fuse(self, world: _World, result: DepthResult) -> None:
        if world.cloud is None:
            known = result.depth[np.isfinite(result.depth)]
            if not known.size:
                return
            world.cloud = VoxelCloud(self._voxel or VOXEL_SHARE * float(np.median(known)))
        world.cloud.add_view(
            result.depth,
            result.sigma,
            result.image,
            result.K,
            result.pose,
            max_relative_sigma=self._max_sigma,
        )
        world.views += 1

    def _draw(self) -> None:
        """Draw the strip and the animation, in one scale of colors per unit."""
        ranges = {
            metric: typical_range(
                np.concatenate([s.depth.ravel() for s in self._shown if s.metric == metric]),
                metric,
            )
            for metric in {s.metric for s in self._shown}
        }
        rows = [_row(shown, ranges[shown.metric]) for shown in self._shown]
        telling = [i for i, s in enumerate(self._shown) if np.isfinite(s.depth).any()]
        telling = telling or list(range(len(rows)))
        chosen = np.linspace(0, len(telling) - 1, min(STRIP_ROWS, len(telling)))
        strip = [rows[telling[i]] for i in chosen.round().astype(int)]
        write_image(self.out / "strip.png", depth_strip(strip))
        step = -(-len(rows) // ANIMATED)
        pictures = [side_by_side(row) for row in rows[::step]]
        width = pictures[0].shape[1]
        write_animation(self.out / "depth.gif", pictures, fps=8, max_width=width)
        self.written += ["strip.png", "depth.gif"]


def _row(shown: _Shown, scale: DepthRange) -> list[tuple[str, npt.NDArray[np.uint8]]]:
    return depth_row(shown.image, shown.depth, shown.sigma, scale, shown.name)


def _reduced(name: str, result: DepthResult) -> _Shown:
    height, width = result.depth.shape
    image, depth, sigma = result.image, result.depth, result.sigma
    if width > PANEL_WIDTH:
        size = (PANEL_WIDTH, max(1, round(height * PANEL_WIDTH / width)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        depth, sigma = (  # no means over an edge, and none with NaN
            np.asarray(cv2.resize(a, size, interpolation=cv2.INTER_NEAREST), np.float32)
            for a in (depth, sigma)
        )
    return _Shown(name, image, depth, sigma, result.scale == "metric")


def _prepared(out: Path) -> Path:
    """Return the folder, rid of what an earlier run left there and of nothing else."""
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out {out} is a file: give a folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
        if (out / "summary.json").exists():
            for kind in ("depth", "sigma"):
                for path in [*(out / kind).glob("*.png"), *(out / kind).glob("*.npy")]:
                    path.unlink()
            for name in ("cloud.ply", "trajectory.txt", "camera.yaml", "strip.png", "depth.gif"):
                (out / name).unlink(missing_ok=True)
        (out / "summary.json").write_text(UNFINISHED)  # an interrupted run is known by it
        (out / "depth").mkdir(exist_ok=True)
        (out / "sigma").mkdir(exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--out {out} cannot be written: {error.strerror}") from error
    return out
