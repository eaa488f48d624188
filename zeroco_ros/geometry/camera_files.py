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
Calibration files to plain CameraInfo values.

Read are:
- YAML of ROS's camera_calibration (camera_info_manager): image_width, camera_matrix, ...;
- YAML of EuRoC sensors and of Kalibr (the first camera): intrinsics, resolution, ...;
- YAML or JSON with fx, fy, cx, cy and, if known, width, height, model, D;
- KITTI's calib.txt (P0, P_rect_00 or bare rows of 12 numbers: the first row counts);
- bare numbers: a 3x3 matrix, or `fx fy cx cy` followed by plumb_bob coefficients.
"""

from __future__ import annotations

from pathlib import Path
import re
from typing import Any

import yaml

from zeroco_ros.errors import ConfigError

FORMATS = (
    "ROS camera_calibration YAML, EuRoC or Kalibr YAML, YAML/JSON with fx fy cx cy [width height "
    "model D], KITTI calib.txt, or bare numbers (3x3 matrix, or fx fy cx cy [k1 k2 p1 p2 [k3]])"
)
# A calibration is a page of text at most; more is some other file.
LARGEST = 1 << 20


def read_camera_file(path: Path) -> dict[str, Any]:
    """
    Keyword arguments of Camera.from_info but the size, and `size` (width, height) or None.

    Raises ConfigError for a file that is missing, unreadable or of no known format.
    """
    text = _text(path)
    try:
        values = _numbers(text) or _structured(text)
    except (ValueError, TypeError, KeyError, IndexError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"{path} is no camera calibration ({reason}): {FORMATS}") from error
    if values is None:
        raise ConfigError(f"{path} holds no known camera calibration: {FORMATS}")
    return values


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise ConfigError(f"{path} is too large for a calibration file: {FORMATS}")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the camera calibration {path}: {error}") from error


def _numbers(text: str) -> dict[str, Any] | None:
    """KITTI and bare numbers, or None where the text is something else."""
    rows: list[tuple[str, list[float]]] = []
    for line in text.splitlines():
        line = line.split("#", 1)[0].strip()
        label, _, rest = line.rpartition(":")
        try:
            row = [float(word) for word in re.split(r"[,\s]+", rest.strip()) if word]
        except ValueError:
            continue
        if row:
            rows.append((label.strip(), row))
    kitti = [row for label, row in rows if len(row) == 12 and label in ("", "P0", "P_rect_00")]
    if kitti:
        return _plain(_first(kitti[0]))
    if any(label for label, _ in rows) or len(rows) not in (1, 3):
        return None
    return _bare([value for _, row in rows for value in row])


def _first(projection: list[float]) -> list[float]:
    return [*projection[0:3], *projection[4:7], *projection[8:11]]


def _bare(values: list[float]) -> dict[str, Any] | None:
    if len(values) == 9 and values[6:] == [0, 0, 1]:
        return _plain(values)
    if len(values) in (4, 8, 9):
        fx, fy, cx, cy, *d = values
        return _plain([fx, 0, cx, 0, fy, cy, 0, 0, 1], d)
    return None


def _plain(k: list[float], d: list[float] | None = None) -> dict[str, Any]:
    return {"size": None, "k": k, "d": d or [], "distortion_model": "plumb_bob"}


def _structured(text: str) -> dict[str, Any] | None:
    # JSON is YAML, except that YAML forbids tabs.
    content = yaml.safe_load(text.replace("\t", " "))
    if not isinstance(content, dict):
        return None
    if isinstance(content.get("cam0"), dict):
        content = content["cam0"]
    if "camera_matrix" in content:
        return _ros(content)
    if "intrinsics" in content:
        return _euroc(content)
    if {"fx", "fy", "cx", "cy"} <= set(content):
        return _named(content)
    return None


def _ros(content: dict[str, Any]) -> dict[str, Any]:
    def data(name: str) -> list[float]:
        entry = content.get(name) or {}
        entry = entry.get("data", []) if isinstance(entry, dict) else entry
        return [float(value) for value in entry]

    return {
        "size": (int(content["image_width"]), int(content["image_height"])),
        "distortion_model": str(content.get("distortion_model", "plumb_bob")),
        "d": data("distortion_coefficients"),
        "k": data("camera_matrix"),
        "r": data("rectification_matrix") or None,
        "p": data("projection_matrix") or None,
    }


def _euroc(content: dict[str, Any]) -> dict[str, Any]:
    kind = content.get("camera_model", "pinhole")
    if kind != "pinhole":
        raise ValueError(f"camera_model {kind}: only pinhole is supported")
    fx, fy, cx, cy = (float(value) for value in content["intrinsics"])
    d = content.get("distortion_coefficients", content.get("distortion_coeffs", []))
    width, height = content["resolution"]
    return {
        "size": (int(width), int(height)),
        "distortion_model": str(content.get("distortion_model", "plumb_bob")),
        "d": [float(value) for value in d],
        "k": [fx, 0, cx, 0, fy, cy, 0, 0, 1],
    }


def _named(content: dict[str, Any]) -> dict[str, Any]:
    fx, fy, cx, cy = (float(content[name]) for name in ("fx", "fy", "cx", "cy"))
    stated = "width" in content and "height" in content
    size = (int(content["width"]), int(content["height"])) if stated else None
    model = str(content.get("model", content.get("distortion_model", "plumb_bob")))
    d = [float(value) for value in content.get("D", content.get("d", []))]
    if model == "pinhole" and not any(d):
        model, d = "plumb_bob", []
    return {
        "size": size,
        "distortion_model": model,
        "d": d,
        "k": [fx, 0, cx, 0, fy, cy, 0, 0, 1],
    }
