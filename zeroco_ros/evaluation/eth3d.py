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
ETH3D's interval lists, as the evaluation of GLU-Net and PDC-Net distributes them.

Below a root folder, beside the images in multiview_testing/ and multiview_training/, a folder
info_ETH3D_files holds one pickled list for each sequence and rate, called
<sequence>_every_5_rate_of_<rate>: dictionaries with source_image and target_image (paths below
the root) and the lists Xs, Ys, Xt, Yt of matching points. They are read without executing
anything in them: nothing but numbers, strings, lists and dictionaries can come out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
import pickle
import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ImageError

ETH3D_SEQUENCES = (
    "lakeside",
    "sand_box",
    "storage_room",
    "storage_room_2",
    "tunnel",
    "delivery_area",
    "electro",
    "forest",
    "playground",
    "terrains",
)
ETH3D_RATES = (3, 5, 7, 9, 11, 13, 15)


@dataclass(frozen=True)
class SparseMatches:
    """
    Matching points of two images.

    target_image, source_image: paths below the data's root. target, source: (N, 2) float32 x, y in
    pixels.
    """

    target_image: str
    source_image: str
    target: npt.NDArray[np.float32]
    source: npt.NDArray[np.float32]


def list_file(root: Path, sequence: str, rate: int) -> Path:
    """Where the list of a sequence and rate lies."""
    return root / "info_ETH3D_files" / f"{sequence}_every_5_rate_of_{rate}"


def inside(root: Path, name: str) -> Path:
    """
    Return the file of an image named in a list.

    Raises ImageError if that leads out of `root`.
    """
    path = root / name
    if not path.resolve().is_relative_to(root.resolve()):
        raise ImageError(f"{name} leads out of {root}: the list is not one of ETH3D's")
    return path


def read_list(path: Path) -> list[SparseMatches]:
    """Return the pairs of one list. Raises ImageError if it is damaged or holds anything else."""
    try:
        with path.open("rb") as handle:
            entries = _Numbers(handle, encoding="latin1").load()
        return [_matches(entry) for entry in entries]
    except (pickle.UnpicklingError, EOFError, OSError) as error:
        raise ImageError(f"cannot read {path}: {error or 'the file ends early'}") from error
    except (TypeError, KeyError, ValueError, IndexError, AttributeError, struct.error) as error:
        raise ImageError(f"{path} is not a list of ETH3D's correspondences: {error!r}") from error


def _matches(entry: dict[str, Any]) -> SparseMatches:
    columns = [np.asarray(entry[key], np.float32) for key in ("Xt", "Yt", "Xs", "Ys")]
    points = np.stack(columns, axis=-1)
    if points.ndim != 2 or not np.isfinite(points).all():
        raise ValueError("points are not lists of numbers")
    names = entry["target_image"], entry["source_image"]
    if not all(isinstance(name, str) for name in names):
        raise ValueError("image names are not text")
    return SparseMatches(*names, points[:, :2], points[:, 2:])


_FORMATS = {"f8": "d", "f4": "f", "i8": "q", "i4": "i"}


class _Kind:
    """Stands in for numpy.dtype: the code of a number, such as "f8", and its byte order."""

    def __init__(self, code: str, *_: object) -> None:
        self._format = "<" + _FORMATS[code]

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] not in ("<", "|", "="):
            raise ValueError(f"byte order {state[1]!r}")

    def number(self, data: bytes) -> float:
        """Return the number in its raw bytes."""
        return float(struct.unpack(self._format, data)[0])


def _scalar(kind: _Kind, data: bytes | str) -> float:
    return kind.number(_bytes(data))


def _bytes(data: bytes | str, *_: object) -> bytes:
    """Raw bytes, which older protocols store as text."""
    return data.encode("latin1") if isinstance(data, str) else data


_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): _Kind,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("_codecs", "encode"): _bytes,
}


class _Numbers(pickle.Unpickler):
    """Knows the names of numpy's scalars, replaced by the functions above, and no other."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"refused, because it asks for {module}.{name}")
        return _KNOWN[module, name]
