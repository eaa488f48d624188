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

"""Flow sets in the layouts of the developers' own evaluation data, and of a user's own pairs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from zeroco_ros.evaluation.flow_correspondence import read_homography
from zeroco_ros.evaluation.flow_set import bind, FlowSet, of_size
from zeroco_ros.evaluation.protocols import FlowPair, hpatches_pair, leads_inside
from zeroco_ros.media.flow_files import read_flo
from zeroco_ros.media.images import read_image


def own_sets(folder: Path) -> Iterator[FlowSet]:
    """Yield flow/<set>/ and homography/graf/ below a folder, and pairs directly in it."""
    for place in [folder, *sorted((folder / "flow").glob("*/"))]:
        yield from _measured(place)
    yield from chairs_sets(folder / "flow" / "FlyingChairs")
    yield from _graf(folder / "homography" / "graf")


def _measured(folder: Path) -> Iterator[FlowSet]:
    """Pairs NAME_img1, NAME_img2 with NAME_flow.flo (img1 to img2) and optionally NAME_visible."""
    flows = [path for path in sorted(folder.glob("*_flow.flo")) if _partner(path).is_file()]
    if flows:
        loaders = tuple(bind(_load_measured, path) for path in flows)
        yield FlowSet(folder.resolve().name, "measured flow, visible pixels", loaders)


def _partner(flow: Path) -> Path:
    return flow.with_name(flow.name.removesuffix("_flow.flo") + "_img1.png")


def _load_measured(path: Path) -> FlowPair:
    stem = str(path).removesuffix("_flow.flo")
    target, source = read_image(f"{stem}_img1.png"), read_image(f"{stem}_img2.png")
    flow = of_size(read_flo(path), target, path)
    valid = np.asarray(np.isfinite(flow).all(axis=-1))
    visible = Path(f"{stem}_visible.png")
    if visible.exists():
        valid &= read_image(visible)[..., 0] == 255
    return FlowPair(Path(stem).name, target, source, flow, valid)


# Flow file, first and second image of FlyingChairs: as distributed, and as in the paper's example.
_CHAIRS = (("_flow.flo", "_img1.ppm", "_img2.ppm"), ("-gt.flo", "-img0.ppm", "-img1.ppm"))


def chairs_sets(folder: Path) -> Iterator[FlowSet]:
    """Yield FlyingChairs (Dosovitskiy et al., ICCV 2015): NNNNN_flow.flo, _img1.ppm, _img2.ppm."""
    for place in (folder, folder / "data"):
        for flow, first, second in _CHAIRS:
            stems = [str(path).removesuffix(flow) for path in sorted(place.glob(f"*{flow}"))]
            stems = [stem for stem in stems if Path(stem + first).is_file()]
            if stems:
                about = "rendered flow, pixels whose match is inside (occluded ones included)"
                loaders = [bind(_load_chairs, s, flow, first, second) for s in stems]
                yield FlowSet("FlyingChairs", about, tuple(loaders))
                return


def _load_chairs(stem: str, flow_end: str, first: str, second: str) -> FlowPair:
    target, source = read_image(stem + first), read_image(stem + second)
    path = Path(stem + flow_end)
    flow = of_size(read_flo(path), target, path)
    return FlowPair(Path(stem).name, target, source, flow, leads_inside(flow, *source.shape[:2]))


def _graf(folder: Path) -> Iterator[FlowSet]:
    """Oxford's graffiti wall by the HPatches rules: image 1 is the source, image k the target."""
    for name, others in (("graf", (2, 3, 4)), ("graf-wide", (5, 6))):
        here = [k for k in others if (folder / f"H1to{k}p").is_file()]
        if here:
            images = " ".join(f"1-{k}" for k in here)
            loaders = tuple(bind(_load_graf, folder, k) for k in here)
            about = f"homography, pairs {images}, pixels inside"
            yield FlowSet(name, about, loaders, "graf-all")


def _load_graf(folder: Path, k: int) -> FlowPair:
    source, target = read_image(folder / "img1.png"), read_image(folder / f"img{k}.png")
    return hpatches_pair(f"1-{k}", source, target, read_homography(folder / f"H1to{k}p"))
