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

from __future__ import annotations

from pathlib import Path
import stat
import subprocess
import sys

import numpy as np
from PIL import Image
import pytest

from zeroco_ros.errors import ImageError
from zeroco_ros.media.atomic import atomic_write, ensure_writable
from zeroco_ros.media.images import read_image, write_image


@pytest.fixture
def rgb() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (13, 17, 3), dtype=np.uint8)


def test_png_round_trip_is_exact(tmp_path: Path, rgb: np.ndarray) -> None:
    for name in ("a.png", "a.ppm", "a.bmp", "A.PNG"):
        write_image(tmp_path / name, rgb)
        assert np.array_equal(read_image(tmp_path / name), rgb)


def test_gray_is_written_and_read_as_three_equal_channels(tmp_path: Path) -> None:
    gray = np.arange(48, dtype=np.uint8).reshape(6, 8)
    write_image(tmp_path / "g.png", gray)
    assert np.array_equal(read_image(tmp_path / "g.png"), np.stack([gray] * 3, axis=-1))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_every_color_model_becomes_rgb(tmp_path: Path, mode: str) -> None:
    kind = "tiff" if mode in ("CMYK", "YCbCr") else "png"
    picture = Image.new("RGB", (5, 4), (250, 10, 10)).convert(mode)
    path = tmp_path / f"x.{kind}"
    picture.save(path)
    image = read_image(path)
    assert image.shape == (4, 5, 3) and image.dtype == np.uint8
    expected = np.asarray(picture.convert("RGB"))
    assert np.abs(image.astype(int) - expected).max() <= 1


def test_alpha_is_ignored(tmp_path: Path) -> None:
    pixels = np.full((3, 3, 4), 200, dtype=np.uint8)
    pixels[..., 3] = 0
    Image.fromarray(pixels).save(tmp_path / "rgba.png")
    assert (read_image(tmp_path / "rgba.png") == 200).all()
    Image.fromarray(pixels[..., 2:]).save(tmp_path / "la.png")
    assert (read_image(tmp_path / "la.png") == 200).all()


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    values = np.array([[0, 257, 65535], [32896, 128, 65400]], dtype=np.uint16)
    for name in ("w.png", "w.tiff"):
        Image.fromarray(values).save(tmp_path / name)
        image = read_image(tmp_path / name)
        assert np.array_equal(image[..., 0], [[0, 1, 255], [128, 0, 254]])


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    picture = Image.new("L", (20, 10))
    picture.paste(255, (0, 0, 10, 10))  # left half white
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise to be upright
    picture.save(tmp_path / "phone.jpg", exif=exif, quality=95)
    image = read_image(tmp_path / "phone.jpg")
    assert image.shape == (20, 10, 3)
    assert image[:9].mean() > 250 and image[11:].mean() < 5


def test_floating_point_pixels_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.ones((4, 4), dtype=np.float32)).save(tmp_path / "f.tiff")
    with pytest.raises(ImageError, match="floating-point"):
        read_image(tmp_path / "f.tiff")


def _bad_files(folder: Path) -> dict[str, Path]:
    good = folder / "good.png"
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    write_image(good, noise)
    content = good.read_bytes()
    paths = {name: folder / f"{name}.png" for name in ("text", "cut", "empty", "corrupt")}
    paths["text"].write_text("not an image\n")
    paths["cut"].write_bytes(content[: len(content) // 2])
    paths["empty"].write_bytes(b"")
    paths["corrupt"].write_bytes(content[:200] + b"\0" * 50 + content[250:])
    Image.fromarray(noise).save(folder / "full.jpg")
    jpeg = (folder / "full.jpg").read_bytes()
    paths["cut_jpeg"] = folder / "cut.jpg"
    paths["cut_jpeg"].write_bytes(jpeg[: len(jpeg) // 2])
    paths["cut_ppm"] = folder / "cut.ppm"
    paths["cut_ppm"].write_bytes(b"P6\n64 64\n255\n" + b"\1" * 300)
    paths["missing"] = folder / "missing.png"
    paths["folder"] = folder
    return paths


def test_bad_files_give_one_line_and_no_console_noise(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, path in _bad_files(tmp_path).items():
        with pytest.raises(ImageError) as caught:
            read_image(path)
        text = str(caught.value)
        assert str(path) in text and "\n" not in text, name
    captured = capfd.readouterr()
    assert captured.out == "" and captured.err == ""


def test_unwritable_kinds_are_refused(tmp_path: Path, rgb: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"\.png"):
        write_image(tmp_path / "a.xyz", rgb)
    with pytest.raises(ImageError, match="float64"):
        write_image(tmp_path / "a.png", rgb.astype(float))
    assert list(tmp_path.iterdir()) == []


def test_failure_leaves_the_old_file_and_no_scrap(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), atomic_write(path) as handle:
        handle.write(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.bin"]


def test_written_files_follow_the_umask_and_make_their_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "out.bin"
    code = (
        "import os, sys; os.umask(0o027)\n"
        "from zeroco_ros.media.atomic import atomic_write\n"
        "with atomic_write(sys.argv[1]) as handle: handle.write(b'x')\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, timeout=60)
    assert path.read_bytes() == b"x"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_place_that_cannot_be_written_is_told_before(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "out.png", tmp_path / "file" / "deep" / "o.png"):
        with pytest.raises(ImageError, match="cannot write"):
            ensure_writable(path)
        with pytest.raises(ImageError, match="cannot write"), atomic_write(path):
            pass
    ensure_writable(tmp_path / "not" / "yet" / "there.png")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
