"""Data sets with ground truth: one interface, pairs read when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ConfigError, ImageError
from zeroco_ros.evaluation.eth3d import (
    ETH3D_RATES,
    ETH3D_SEQUENCES,
    SparseMatches,
    inside,
    list_file,
    read_list,
)
from zeroco_ros.evaluation.protocols import (
    HPATCHES_SIDE,
    FlowPair,
    hpatches_pair,
    leads_inside,
    sparse_flow,
)
from zeroco_ros.media.flow_files import read_flo
from zeroco_ros.media.images import read_image

Loader = Callable[[], FlowPair]


@dataclass(frozen=True)
class FlowSet:
    """A named list of pairs. about: what it is, what is scored, in a few words.

    part_of: name of a larger set, whose scores are made of those of its parts.
    """

    name: str
    about: str
    loaders: tuple[Loader, ...]
    part_of: str = ""

    def __len__(self) -> int:
        return len(self.loaders)

    def __iter__(self) -> Iterator[FlowPair]:
        return (load() for load in self.loaders)


def fewer(flow_set: FlowSet, count: int | None) -> FlowSet:
    """A set with at most `count` of its pairs (None: all), evenly spread over it."""
    total = len(flow_set)
    if count is None or count >= total:
        return flow_set
    chosen = tuple(flow_set.loaders[index * total // count] for index in range(count))
    about = f"{flow_set.about} ({count} of {total} pairs)"
    return replace(flow_set, about=about, loaders=chosen)


def find_sets(
    folder: str | Path, names: list[str] | None = None, dataset: str = "auto"
) -> list[FlowSet]:
    """The flow sets below a folder, in the layouts this module knows, all or those named.

    dataset: one of `DATASETS`; "auto" takes what is there: pairs of measured or rendered flow
    (flow/<set>/*_img1.png, *_img2.png, *_flow.flo, *_visible.png, or the same files directly in
    `folder`), flow/FlyingChairs, homography/graf, stereo/ (rectified pairs read as flow), the
    HPatches sequences (v_<scene>/1.ppm, H_1_2) at 240x240 and at their own size, and ETH3D's
    intervals (info_ETH3D_files/).

    Raises ConfigError if the folder is missing, holds none of them, or a name is not there, and
    ImageError if a list of ETH3D's correspondences cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder: give the folder of the evaluation data")
    found = {flow_set.name: flow_set for flow_set in DATASETS[dataset](folder)}
    if not found:
        raise ConfigError(f"{folder} holds no flow data that is known here: {_EXPECTED[dataset]}")
    unknown = [name for name in names or [] if name not in found]
    if unknown:
        raise ConfigError(f"unknown set {', '.join(unknown)}: {folder} has {', '.join(found)}")
    return [found[name] for name in names or found]


def _discover(folder: Path) -> Iterator[FlowSet]:
    for place in [folder, *sorted((folder / "flow").glob("*/"))]:
        yield from _measured(place)
    yield from _chairs(folder / "flow" / "FlyingChairs")
    yield from _graf(folder / "homography" / "graf")
    yield from _stereo(folder / "stereo")
    yield from hpatches_sets(folder, HPATCHES_SIDE)
    yield from hpatches_sets(folder, None)
    yield from eth3d_sets(folder)


def _measured(folder: Path) -> Iterator[FlowSet]:
    """Pairs NAME_img1, NAME_img2 with NAME_flow.flo (img1 to img2) and optionally NAME_visible."""
    flows = sorted(folder.glob("*_flow.flo"))
    if flows:
        loaders = tuple(_bind(_load_measured, path) for path in flows)
        yield FlowSet(folder.resolve().name, "measured flow, visible pixels", loaders)


def _load_measured(path: Path) -> FlowPair:
    stem = str(path).removesuffix("_flow.flo")
    target, source = read_image(f"{stem}_img1.png"), read_image(f"{stem}_img2.png")
    flow = _of_size(read_flo(path), target, path)
    valid = np.asarray(np.isfinite(flow).all(axis=-1))
    visible = Path(f"{stem}_visible.png")
    if visible.exists():
        valid &= read_image(visible)[..., 0] == 255
    return FlowPair(Path(stem).name, target, source, flow, valid)


def _chairs(folder: Path) -> Iterator[FlowSet]:
    flows = sorted(folder.glob("*-gt.flo"))
    if flows:
        about = "rendered flow, pixels whose match is inside the image (occluded ones included)"
        yield FlowSet("FlyingChairs", about, tuple(_bind(_load_chairs, path) for path in flows))


def _load_chairs(path: Path) -> FlowPair:
    stem = str(path).removesuffix("-gt.flo")
    target, source = read_image(f"{stem}-img0.ppm"), read_image(f"{stem}-img1.ppm")
    flow = _of_size(read_flo(path), target, path)
    return FlowPair(Path(stem).name, target, source, flow, leads_inside(flow, *source.shape[:2]))


def _graf(folder: Path) -> Iterator[FlowSet]:
    """Oxford's graffiti wall by the HPatches rules: image 1 is the source, image k the target."""
    for name, others in (("graf", (2, 3, 4)), ("graf-wide", (5, 6))):
        here = [k for k in others if (folder / f"H1to{k}p").is_file()]
        if here:
            images = " ".join(f"1-{k}" for k in here)
            loaders = tuple(_bind(_load_graf, folder, k) for k in here)
            about = f"homography, pairs {images}, pixels inside"
            yield FlowSet(name, about, loaders, "graf-all")


def _load_graf(folder: Path, k: int) -> FlowPair:
    source, target = read_image(folder / "img1.png"), read_image(folder / f"img{k}.png")
    return hpatches_pair(f"1-{k}", source, target, read_homography(folder / f"H1to{k}p"))


def _stereo(folder: Path) -> Iterator[FlowSet]:
    """Middlebury pairs, left to right: flow = (-disparity, 0)."""
    loaders = []
    for name, left, right, disparity, scale in (
        ("cones", "im2.png", "im6.png", "disp2.png", 4),
        ("Cloth3", "view1.png", "view5.png", "disp1.png", 2),
        ("Wood2", "view1.png", "view5.png", "disp1.png", 2),
    ):
        place = folder / name
        if (place / disparity).is_file():
            paths = (place / left, place / right, place / disparity)
            loaders.append(_bind(_load_stereo, name, paths, scale))
    if loaders:
        about = "disparity as flow, known pixels whose match is inside (occluded ones included)"
        yield FlowSet("stereo", about, tuple(loaders))


def _load_stereo(name: str, paths: tuple[Path, Path, Path], scale: int) -> FlowPair:
    target, source = read_image(paths[0]), read_image(paths[1])
    stored = read_image(paths[2])[..., 0]
    flow = np.zeros((*stored.shape, 2), dtype=np.float32)
    flow[..., 0] = -stored.astype(np.float32) / scale
    valid = (stored > 0) & leads_inside(flow, *source.shape[:2])
    return FlowPair(name, target, source, _of_size(flow, target, paths[2]), valid)


def hpatches_sets(folder: Path, side: int | None) -> Iterator[FlowSet]:
    """HPatches' viewpoint scenes v_*: sets I..V are the image pairs 1-2..1-6.

    side 240: both images as squares of that side; None: the original size.
    """
    scenes = sorted(place for place in folder.glob("v_*/") if (place / "H_1_2").is_file())
    whole = "hpatches" if side is None else f"hpatches-{side}"
    for k, numeral in zip(range(2, 7), ("I", "II", "III", "IV", "V"), strict=True):
        loaders = tuple(_bind(_load_hpatches, scene, k, side) for scene in scenes)
        if loaders:
            about = f"homography, image pair 1-{k} of {len(scenes)} scenes, pixels inside"
            yield FlowSet(f"{whole}-{numeral}", about, loaders, whole)


def _load_hpatches(scene: Path, k: int, side: int | None) -> FlowPair:
    source, target = read_image(scene / "1.ppm"), read_image(scene / f"{k}.ppm")
    homography = read_homography(scene / f"H_1_{k}")
    return hpatches_pair(f"{scene.name}-1-{k}", source, target, homography, side)


def read_homography(path: str | Path) -> npt.NDArray[np.float64]:
    """Nine numbers in a text file as a 3x3 matrix. Raises ImageError if they are not there."""
    try:
        values = np.array(Path(path).read_text().split(), dtype=np.float64)
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot read the homography {path}: {error}") from error
    if values.size != 9 or not np.isfinite(values).all():
        raise ImageError(f"{path} is not a homography: expected nine numbers, got {values.size}")
    return values.reshape(3, 3)


def _of_size(
    flow: npt.NDArray[np.float32], image: npt.NDArray[np.uint8], path: Path
) -> npt.NDArray[np.float32]:
    if flow.shape[:2] != image.shape[:2]:
        raise ImageError(f"{path} is {flow.shape[:2]}, its image is {image.shape[:2]} (H, W)")
    return flow


def _bind(load: Callable[..., FlowPair], *arguments: object) -> Loader:
    return lambda: load(*arguments)


def eth3d_sets(folder: Path) -> Iterator[FlowSet]:
    """ETH3D's intervals: one set for each rate, averaged over images, then over sequences."""
    for rate in ETH3D_RATES:
        names = [name for name in ETH3D_SEQUENCES if list_file(folder, name, rate).is_file()]
        loaders = tuple(
            _bind(_load_eth3d, folder, entry, f"{rate}/{name}")
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


Discover = Callable[[Path], Iterable[FlowSet]]
DATASETS: dict[str, Discover] = {
    "auto": _discover,
    "hpatches": lambda folder: hpatches_sets(folder, None),
    "hpatches-240": lambda folder: hpatches_sets(folder, HPATCHES_SIDE),
    "eth3d": eth3d_sets,
}
_HPATCHES = "expected HPatches' folders v_*/ with 1.ppm to 6.ppm and H_1_2 to H_1_6"
_ETH3D = (
    "expected info_ETH3D_files/lakeside_every_5_rate_of_3 and so on, beside multiview_testing/ "
    "and multiview_training/"
)
_EXPECTED = {
    "auto": (
        "expected flow/, homography/ or stereo/ folders, NAME_img1.png with NAME_img2.png and "
        "NAME_flow.flo, HPatches' v_*/ or ETH3D's info_ETH3D_files/"
    ),
    "hpatches": _HPATCHES,
    "hpatches-240": _HPATCHES,
    "eth3d": _ETH3D,
}
