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

"""Rough ground: a smooth height field, its intersection with rays and random examples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zeroco_ros.training.patterns import Rng

FAR = 1e9
STEPS = 160
LEAST_STEP = 4e-3  # of the distance: about the width of a pixel


@dataclass(frozen=True)
class Terrain:
    """
    The surface z = sum over k of a_k sin(u_k x + v_k y + p_k), z up, in meters.

    waves: (K, 4) rows u, v in radians per meter, p in radians, a in meters.
    """

    waves: Tensor

    def to(self, device: torch.device) -> Terrain:
        """Return the terrain on a device."""
        return Terrain(self.waves.to(device))

    def _angles(self, ground: Tensor) -> Tensor:
        return ground @ self.waves[:, :2].T + self.waves[:, 2]

    def height(self, ground: Tensor) -> Tensor:
        """Height (N,) above the points (N, 2) of the plane z = 0."""
        return self._angles(ground).sin() @ self.waves[:, 3]

    def slope(self, ground: Tensor) -> Tensor:
        """Gradient (N, 2) of the height, without a unit."""
        return self._angles(ground).cos() @ (self.waves[:, 3:] * self.waves[:, :2])

    def normal(self, ground: Tensor) -> Tensor:
        """Return the unit normals (N, 3), upward."""
        slope = self.slope(ground)
        up = torch.cat([-slope, torch.ones_like(slope[:, :1])], 1)
        return torch.nn.functional.normalize(up, dim=1)

    def cast(self, start: Tensor, rays: Tensor, limit: Tensor) -> Tensor:
        """
        Distances (N,) to the first hit from `start` (3,), above the ground, along rays (N, 3).

        In units of the rays' lengths; FAR where nothing is hit before `limit` (N,). The march
        advances by what a steep slope allows, but never by less than LEAST_STEP of the distance
        (a crest narrower than that may be missed, and is then missing from the picture as well).
        The interval in which the surface was crossed is bisected and finished with Newton's method
        to the precision of float32.
        """
        reach = float(self.waves[:, 3].abs().sum())
        slopes = self.waves[:, 3] * self.waves[:, :2].norm(dim=1)
        steep = 1.4 * float(slopes.norm())  # twice the root mean square of the slope
        closing = (rays[:, 2].abs() + steep * rays[:, :2].norm(dim=1)).clamp(min=1e-9)
        near = ((start[2] - reach) / -rays[:, 2]).clamp(min=1e-3)
        near = torch.where(
            (start[2] > reach) & (rays[:, 2] >= 0), torch.full_like(near, FAR), near
        )
        near = torch.where(start[2] > reach, near, torch.full_like(near, 1e-3))
        before, after = near.clone(), torch.full_like(near, FAR)
        active = (near < limit).nonzero().squeeze(1)
        here = near.index_select(0, active)
        for _ in range(STEPS):
            direction = rays.index_select(0, active)
            point = start + here.unsqueeze(1) * direction
            gap = point[:, 2] - self.height(point[:, :2])
            crossed = gap <= 0
            after[active[crossed]] = here[crossed]
            gone = (point[:, 2] > reach) & (direction[:, 2] >= 0) | (here > limit[active])
            keep = ~(crossed | gone)
            active, here, gap = active[keep], here[keep], gap[keep]
            if active.numel() == 0:
                break
            before[active] = here
            here = here + torch.maximum(gap / closing[active], LEAST_STEP * here)
        return self._finish(start, rays, before, after)

    def _finish(self, start: Tensor, rays: Tensor, before: Tensor, after: Tensor) -> Tensor:
        """Return crossing between the distances `before` (above ground) and `after` (below)."""
        hit = (after < FAR).nonzero().squeeze(1)
        direction, low, high = rays[hit], before[hit], after[hit]
        low = torch.minimum(low, high)
        for _ in range(8):
            middle = 0.5 * (low + high)
            above = self._gap(start, direction, middle) > 0
            low, high = torch.where(above, middle, low), torch.where(above, high, middle)
        at = 0.5 * (low + high)
        for _ in range(4):
            ground = (start + at.unsqueeze(1) * direction)[:, :2]
            rate = direction[:, 2] - (self.slope(ground) * direction[:, :2]).sum(1)
            steep = rate.abs() > 1e-6
            step = self._gap(start, direction, at) / torch.where(
                steep, rate, torch.ones_like(rate)
            )
            at = torch.where(steep, at - step, at).clamp(min=low, max=high)
        return torch.full_like(after, FAR).index_copy(0, hit, at)

    def _gap(self, start: Tensor, direction: Tensor, distance: Tensor) -> Tensor:
        point = start + distance.unsqueeze(1) * direction
        return point[:, 2] - self.height(point[:, :2])


def random_terrain(rng: Rng) -> Terrain:
    """Dunes to rubble: 6-12 waves of 0.4 to 25 m, flatter or rougher as a whole."""
    count = int(rng.integers(6, 13))
    length = np.exp(rng.uniform(np.log(0.4), np.log(25.0), count))
    heading = rng.uniform(0, 2 * np.pi, count)
    rate = 2 * np.pi / length
    steepness = float(rng.uniform(0.01, 0.09))  # of each wave; their sum bounds the slope
    height = steepness * rng.uniform(0.3, 1.5, count) / rate
    waves = [
        rate * np.cos(heading),
        rate * np.sin(heading),
        rng.uniform(0, 2 * np.pi, count),
        height,
    ]
    return Terrain(torch.tensor(np.stack(waves, 1)).float())


def height_at(terrain: Terrain, place: npt.NDArray[np.float64]) -> float:
    """Height in meters at one place (2,)."""
    return float(terrain.height(torch.tensor(place).float().unsqueeze(0)))
