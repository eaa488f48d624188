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

"""Middlebury's flow and stereo data; a rectified pair is read as flow of (-disparity, 0)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ImageError
from zeroco_ros.evaluation.flow_set import bind, FlowSet, of_size
from zeroco_ros.evaluation.protocols import FlowPair, leads_inside
from zeroco_ros.media.flow_files import read_flo
from zeroco_ros.media.images import read_image

# Left image, right image, the left one's disparity: 2014 and 2021, 2003 and 2001, 2005 and 2006.
_STEREO = (
    ("im0.png", "im1.png", "disp0.pfm"),
    ("im2.png", "im6.png", "disp2.png"),
    ("im2.ppm", "im6.ppm", "disp2.pgm"),
    ("view1.png", "view5.png", "disp1.png"),
)


def middlebury_sets(folder: Path) -> Iterator[FlowSet]:
    """
    Yield the pairs with public truth of the flow benchmark (Baker et al., IJCV 2011).

    other-data/NAME/frame10.png and frame11.png with other-gt-flow/NAME/flow10.flo, or all three in
    one folder NAME.
    """
    truths = sorted((folder / "other-gt-flow").glob("*/flow10.flo")) or sorted(
        folder.glob("*/flow10.flo")
    )
    loaders = []
    for truth in truths:
        name = truth.parent.name
        places = (folder / "other-data" / name, truth.parent)
        images = [place for place in places if (place / "frame10.png").is_file()]
        if images:
            loaders.append(bind(_load_flow, images[0], truth))
    if loaders:
        yield FlowSet("middlebury", "measured and rendered flow, known pixels", tuple(loaders))


def _load_flow(images: Path, truth: Path) -> FlowPair:
    target, source = read_image(images / "frame10.png"), read_image(images / "frame11.png")
    flow = of_size(read_flo(truth), target, truth)
    return FlowPair(
        truth.parent.name, target, source, flow, np.asarray(np.isfinite(flow).all(axis=-1))
    )


def stereo_sets(folder: Path) -> Iterator[FlowSet]:
    """
    Yield the stereo pairs, left to right, of folders NAME with images and disparity.

    Read are the layouts of 2001 to 2006 (im2, im6, disp2; view1, view5, disp1: of any size) and of
    2014 and 2021 (im0, im1, disp0.pfm), below the folder or below its stereo/.
    """
    for parent, name in ((folder / "stereo", "stereo"), (folder, "middlebury-stereo")):
        loaders = [
            bind(_load_stereo, place, names)
            for names in _STEREO
            for place in sorted(parent.glob("*/"))
            if all((place / name).is_file() for name in names)
        ]
        if loaders:
            about = "disparity as flow, known pixels whose match is inside, occluded ones too"
            yield FlowSet(name, about, tuple(loaders))


def _load_stereo(place: Path, names: tuple[str, str, str]) -> FlowPair:
    target, source = read_image(place / names[0]), read_image(place / names[1])
    disparity = _disparity(place / names[2])
    flow = np.zeros((*disparity.shape, 2), dtype=np.float32)
    flow[..., 0] = -disparity
    valid = np.isfinite(disparity) & leads_inside(flow, *source.shape[:2])
    return FlowPair(place.name, target, source, of_size(flow, target, place / names[2]), valid)


def _disparity(path: Path) -> npt.NDArray[np.float32]:
    """Pixels (H, W), NaN where unknown."""
    if path.suffix == ".pfm":
        stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if stored is None or stored.ndim != 2 or stored.dtype != np.float32:
            raise ImageError(f"{path} is not a disparity map: expected a PFM of one channel")
        return np.where(np.isfinite(stored), stored, np.nan).astype(np.float32)
    values = read_image(path)[..., 0].astype(np.float32)
    scale = _scale(path.name, values.shape[1])
    return np.where(values > 0, values / scale, np.nan).astype(np.float32)


def _scale(name: str, width: int) -> int:
    """Give stored steps per pixel, which the data's pages state for each size of the pictures."""
    if name.startswith("disp1"):  # 2005, 2006: third, half and full size
        return 3 if width < 500 else 2 if width < 800 else 1
    if width < 450:  # 2001
        return 8
    return 4 if width < 500 else 2 if width < 1000 else 1  # 2003: quarter, half and full size
