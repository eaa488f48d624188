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

"""The benchmarks of optical flow in the folders that they are distributed in: KITTI and Sintel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ImageError
from zeroco_ros.evaluation.flow_set import bind, FlowSet, of_size
from zeroco_ros.evaluation.protocols import FlowPair
from zeroco_ros.media.flow_files import read_flo, read_kitti_flow
from zeroco_ros.media.images import read_image

# Folder of the left camera's pictures: KITTI 2015, then 2012 in color and gray.
_KITTI_IMAGES = (("image_2", "2015"), ("colored_0", "2012"), ("image_0", "2012"))
_KITTI_TRUTH = (
    ("flow_occ", "all", "known pixels, occluded ones included"),
    ("flow_noc", "noc", "known pixels that are seen in both frames"),
)


def kitti_flow_sets(folder: Path) -> Iterator[FlowSet]:
    """
    Yield KITTI's training pairs (Geiger et al., CVPR 2012; Menze and Geiger, CVPR 2015).

    folder: of the download, or its training/ with image_2 (2012: colored_0 or image_0), flow_occ
    and flow_noc. Flow leads from NNNNNN_10.png to NNNNNN_11.png.
    """
    for place in (folder, folder / "training"):
        found = [(place / name, year) for name, year in _KITTI_IMAGES if (place / name).is_dir()]
        for truth, word, scored in _KITTI_TRUTH:
            files = sorted((place / truth).glob("*_10.png"))
            if found and files:
                images, year = found[0]
                loaders = tuple(bind(_load_kitti, images, file) for file in files)
                yield FlowSet(f"kitti-{year}-{word}", f"laser and moving cars, {scored}", loaders)


def _load_kitti(images: Path, truth: Path) -> FlowPair:
    number = truth.stem.removesuffix("_10")
    target = read_image(images / f"{number}_10.png")
    source = read_image(images / f"{number}_11.png")
    flow = of_size(read_kitti_flow(truth), target, truth)
    return FlowPair(number, target, source, flow, np.asarray(np.isfinite(flow).all(axis=-1)))


def sintel_sets(folder: Path) -> Iterator[FlowSet]:
    """
    Yield the passes clean and final of MPI Sintel (Butler et al., ECCV 2012).

    folder: of the download, or its training/ with clean/, final/ and flow/. All pixels are scored
    but those that invalid/ marks; sintel-*-noc: nor those that occlusions/ marks.
    """
    for place in (folder, folder / "training"):
        files = sorted(path for path in (place / "flow").glob("*/frame_*.flo"))
        for images in ("clean", "final"):
            if not files or not (place / images).is_dir():
                continue
            yield _sintel(f"sintel-{images}", place, images, files, False)
            if (place / "occlusions").is_dir():
                yield _sintel(f"sintel-{images}-noc", place, images, files, True)


def _sintel(name: str, place: Path, images: str, files: list[Path], noc: bool) -> FlowSet:
    loaders = tuple(bind(_load_sintel, place, images, file, noc) for file in files)
    return FlowSet(name, f"rendered film, {'visible' if noc else 'all'} pixels", loaders)


def _load_sintel(place: Path, images: str, truth: Path, noc: bool) -> FlowPair:
    scene, frame = truth.parent.name, truth.stem
    number = frame.removeprefix("frame_")
    following = f"frame_{int(number) + 1:0{len(number)}d}"
    target, source = (
        read_image(place / images / scene / f"{stem}.png") for stem in (frame, following)
    )
    flow = of_size(read_flo(truth), target, truth)
    valid = np.asarray(np.isfinite(flow).all(axis=-1))
    for masks in ("invalid", "occlusions") if noc else ("invalid",):
        file = place / masks / scene / f"{frame}.png"
        if file.is_file():
            valid &= ~_marked(file, flow.shape[:2])
    return FlowPair(f"{scene}/{frame}", target, source, flow, valid)


def _marked(file: Path, size: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    mask = read_image(file)[..., 0] > 0
    if mask.shape != size:
        raise ImageError(f"{file} is {mask.shape}, its flow is {size} (H, W)")
    return mask
