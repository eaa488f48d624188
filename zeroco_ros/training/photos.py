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
Photographs that may be trained on: files inside scikit-image's wheel, with their terms.

Only files whose terms scikit-image states as public domain, CC0 or free of known restrictions are
listed. Left out for unclear or restrictive terms: the Middlebury motorcycle pair, Labeled Faces in
the Wild, page, moon, color, phantom, logo and the multi-page files.
"""

from __future__ import annotations

from collections.abc import Sequence
import logging
from pathlib import Path
from typing import overload

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
LOG = logging.getLogger(__name__)
SUFFIXES = (".png", ".jpg", ".jpeg", ".ppm", ".bmp", ".webp", ".tif", ".tiff")


def bundled_photos() -> list[npt.NDArray[np.uint8]]:
    """Return photographs of `BUNDLED` that this scikit-image carries, (H, W, 3) uint8 RGB each."""
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    return [read_rgb(folder / name) for name in BUNDLED if (folder / name).is_file()]


class Photographs(Sequence[npt.NDArray[np.uint8]]):
    """
    The bundled photographs and the pictures of a folder, the latter read when they are used.

    A picture that cannot be read is replaced by the next one that can, with one warning.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self._bundled = bundled_photos()
        self._paths = pictures_in(folder) if folder is not None else []
        self._broken: set[Path] = set()

    def __len__(self) -> int:
        return len(self._bundled) + len(self._paths)

    @overload
    def __getitem__(self, index: int) -> npt.NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, index: slice) -> list[npt.NDArray[np.uint8]]: ...

    def __getitem__(
        self, index: int | slice
    ) -> npt.NDArray[np.uint8] | list[npt.NDArray[np.uint8]]:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        index = range(len(self))[index]
        if index < len(self._bundled):
            return self._bundled[index]
        first = index - len(self._bundled)
        for path in (*self._paths[first:], *self._paths[:first]):
            if path not in self._broken:
                try:
                    return read_rgb(path)
                except ConfigError as error:
                    self._broken.add(path)
                    LOG.warning("%s (skipped)", error)
        raise ConfigError(f"none of the {len(self._paths)} pictures with --textures can be read")


def pictures_in(folder: str | Path) -> list[Path]:
    """All picture files below `folder`, sorted; raises ConfigError if there is none."""
    root = Path(folder)
    if not root.is_dir():
        raise ConfigError(f"texture folder {root} does not exist: give a folder of pictures")
    paths = sorted(p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not paths:
        kinds = ", ".join(SUFFIXES)
        raise ConfigError(f"no picture below texture folder {root}: put some there ({kinds})")
    return paths


def read_rgb(path: Path) -> npt.NDArray[np.uint8]:
    """One picture as (H, W, 3) uint8 RGB; raises ConfigError if it cannot be decoded."""
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ConfigError(f"texture {path} is not a readable picture: remove it from the folder")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), dtype=np.uint8)
