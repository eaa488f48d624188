"""Photographs that may be trained on: files inside scikit-image's wheel, with their terms.

Only files whose terms scikit-image states as public domain, CC0 or free of known restrictions are
listed. Left out for unclear or restrictive terms: the Middlebury motorcycle pair, Labeled Faces in
the Wild, page, moon, color, phantom, logo and the multi-page files.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ConfigError

BUNDLED: dict[str, str] = {
    "astronaut.png": "NASA, public domain",
    "brick.png": "CC0Textures Bricks25, CC0",
    "camera.png": "Lav Varshney, CC0",
    "cell.png": "CC0",
    "chelsea.png": "Stefan van der Walt, CC0",
    "clock_motion.png": "Stefan van der Walt, public domain",
    "coffee.png": "Rachel Michetti, CC0",
    "coins.png": "Brooklyn Museum, no known copyright restrictions",
    "grass.png": "DeclanArcher (linolafett), CC0",
    "gravel.png": "CC0Textures Gravel04, CC0",
    "hubble_deep_field.jpg": "NASA, public domain",
    "ihc.png": "no known copyright restrictions",
    "retina.jpg": "Wikimedia Commons, CC0",
    "rocket.jpg": "SpaceX, CC0",
    "text.png": "no known copyright restrictions, public domain",
}
SUFFIXES = (".png", ".jpg", ".jpeg", ".ppm", ".bmp", ".webp", ".tif", ".tiff")


def bundled_photos() -> list[npt.NDArray[np.uint8]]:
    """The photographs of `BUNDLED` that this scikit-image carries, (H, W, 3) uint8 RGB each."""
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    return [read_rgb(folder / name) for name in BUNDLED if (folder / name).is_file()]


def photos_in(folder: str | Path) -> list[npt.NDArray[np.uint8]]:
    """All pictures below `folder`, sorted by path, as (H, W, 3) uint8 RGB.

    Raises ConfigError if the folder is missing or holds no picture.
    """
    root = Path(folder)
    paths = sorted(p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise ConfigError(f"no picture below texture folder {root}: give a folder of {SUFFIXES}")
    return [read_rgb(path) for path in paths]


def read_rgb(path: Path) -> npt.NDArray[np.uint8]:
    """One picture as (H, W, 3) uint8 RGB; raises ConfigError if it cannot be decoded."""
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ConfigError(f"texture {path} is not a readable picture: remove it from the folder")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), dtype=np.uint8)
