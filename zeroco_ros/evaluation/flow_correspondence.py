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

"""The benchmarks of geometric matching: HPatches' homographies and ETH3D's sparse points."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ImageError
from zeroco_ros.evaluation.eth3d import (
    ETH3D_RATES,
    ETH3D_SEQUENCES,
    inside,
    list_file,
    read_list,
    SparseMatches,
)
from zeroco_ros.evaluation.flow_set import bind, FlowSet
from zeroco_ros.evaluation.protocols import FlowPair, hpatches_pair, sparse_flow
from zeroco_ros.media.images import read_image


def hpatches_sets(folder: Path, side: int | None) -> Iterator[FlowSet]:
    """
    Yield sets I..V, the image pairs 1-2..1-6, of HPatches' viewpoint scenes v_*.

    side 240: both images as squares of that side; None: the original size.
    """
    scenes = sorted(place for place in folder.glob("v_*/") if (place / "H_1_2").is_file())
    whole = "hpatches" if side is None else f"hpatches-{side}"
    for k, numeral in zip(range(2, 7), ("I", "II", "III", "IV", "V"), strict=True):
        loaders = tuple(bind(_load_hpatches, scene, k, side) for scene in scenes)
        if loaders:
            about = f"homography, image pair 1-{k} of {len(scenes)} scenes, pixels inside"
            yield FlowSet(f"{whole}-{numeral}", about, loaders, whole)


def _load_hpatches(scene: Path, k: int, side: int | None) -> FlowPair:
    source, target = read_image(scene / "1.ppm"), read_image(scene / f"{k}.ppm")
    homography = read_homography(scene / f"H_1_{k}")
    return hpatches_pair(f"{scene.name}-1-{k}", source, target, homography, side)


def read_homography(path: str | Path) -> npt.NDArray[np.float64]:
    """
    Read nine numbers of a text file as a 3x3 matrix.

    Raises ImageError if they are not there.
    """
    try:
        values = np.array(Path(path).read_text().split(), dtype=np.float64)
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot read the homography {path}: {error}") from error
    if values.size != 9 or not np.isfinite(values).all():
        raise ImageError(f"{path} is not a homography: expected nine numbers, got {values.size}")
    return values.reshape(3, 3)


def eth3d_sets(folder: Path) -> Iterator[FlowSet]:
    """Yield one set for each rate, averaged over images, then over sequences."""
    for rate in ETH3D_RATES:
        names = [name for name in ETH3D_SEQUENCES if list_file(folder, name, rate).is_file()]
        loaders = tuple(
            bind(_load_eth3d, folder, entry, f"{rate}/{name}")
            for name in names
            for entry in read_list(list_file(folder, name, rate))
        )
        if loaders:
            about = f"sparse points, frames {rate} apart, {len(names)} of 10 sequences"
            yield FlowSet(f"eth3d-{rate}", about, loaders, "eth3d")


def _load_eth3d(folder: Path, entry: SparseMatches, group: str) -> FlowPair:
    target = read_image(inside(folder, entry.target_image))
    source = read_image(inside(folder, entry.source_image))
    flow, valid = sparse_flow(entry.target, entry.source, *target.shape[:2])
    name = f"{Path(entry.target_image).name} {Path(entry.source_image).name}"
    return FlowPair(name, target, source, flow, valid, group)
