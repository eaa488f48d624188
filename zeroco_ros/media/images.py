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

"""Image files in and out, always as 8-bit RGB."""

from __future__ import annotations

from pathlib import Path
import struct
import warnings
import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from zeroco_ros.errors import ImageError
from zeroco_ros.media.atomic import atomic_write

RGB = npt.NDArray[np.uint8]

WRITABLE = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP", ".ppm": "PPM"}
_DECODING_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)


def read_image(path: str | Path) -> RGB:
    """
    Read an image file of any size, bit depth and color model as (H, W, 3) uint8 RGB.

    Gray is repeated three times; 16-bit values are divided by 257; palettes are resolved. Alpha is
    ignored, because camera drivers write anything there. An EXIF orientation is applied, as
    cv2.imread and every viewer do, so H and W are those of the upright picture. Of an animation
    the first frame is read.

    Raises ImageError for a file that is missing, empty, truncated, a folder or no image at all,
    and for floating-point pixels, whose range cannot be known.
    """
    path = Path(path)
    if path.is_dir():
        raise ImageError(f"{path} is a folder; give an image file")
    if not path.exists():
        raise ImageError(f"{path} does not exist; give an image file")
    try:
        if path.stat().st_size == 0:
            raise ImageError(f"{path} is empty; give an image file")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on size and metadata
            with Image.open(path) as image:
                # transposing reads the pixels, so a truncated file is noticed here
                return _to_rgb(ImageOps.exif_transpose(image), path)
    except UnidentifiedImageError as error:
        raise ImageError(f"{path} is not an image; give a PNG, JPEG, PPM, BMP or TIFF") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{path} has too many pixels to be read safely; reduce it") from error
    except _DECODING_ERRORS as error:
        raise ImageError(f"{path} cannot be decoded, it is damaged or cut off: {error}") from error


def write_image(path: str | Path, image: RGB) -> None:
    """
    Write (H, W, 3) uint8 RGB or (H, W) uint8 gray to a PNG, JPEG, BMP or PPM file, atomically.

    Raises ImageError for another extension, another kind of array, or an unwritable folder.
    """
    path = Path(path)
    kind = WRITABLE.get(path.suffix.lower())
    if kind is None:
        raise ImageError(f"cannot write {path}: the extension is not one of {', '.join(WRITABLE)}")
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.size == 0:
        raise ImageError(
            f"cannot write {path}: expected uint8 (H, W, 3) or (H, W), "
            f"got {image.dtype} {image.shape}"
        )
    picture = Image.fromarray(np.ascontiguousarray(image))
    options = {"quality": 92} if kind == "JPEG" else {}
    with atomic_write(path) as handle:
        picture.save(handle, format=kind, **options)


def _to_rgb(image: Image.Image, path: Path) -> RGB:
    """Resolve Pillow's modes; those beyond 8 bit need help, as Pillow clips them."""
    if image.mode == "F":
        raise ImageError(f"{path} has floating-point pixels; convert it to 8 or 16 bit")
    if image.mode.startswith("I"):
        wide = np.asarray(image).astype(np.int64)
        gray = np.clip((wide + 128) // 257, 0, 255).astype(np.uint8)
        return np.repeat(gray[:, :, None], 3, axis=2)
    if image.mode in ("LA", "La"):
        image = image.convert("LA").getchannel(0)
    elif image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    return np.array(image.convert("RGB"), dtype=np.uint8)
