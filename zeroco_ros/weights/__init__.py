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

"""Model files that come with the package, and where a name or path leads."""

from __future__ import annotations

from pathlib import Path

from zeroco_ros.errors import WeightsError

_FOLDER = Path(__file__).resolve().parent


def shipped() -> dict[str, Path]:
    """Return the model files that come with the package by name, e.g. {"default": ...}; sorted."""
    return {path.stem: path for path in sorted(_FOLDER.glob("*.safetensors"))}


def resolve(name_or_path: str | Path) -> Path:
    """
    Return the file of a shipped name or of a path; a name wins over a file called the same.

    Raises WeightsError, naming the shipped weights, where neither exists or it is not a file.
    """
    names = shipped()
    if str(name_or_path) in names:
        return names[str(name_or_path)]
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    if not str(name_or_path):
        what = "no name given"
    else:
        what = "is a folder, not a model file" if path.is_dir() else "does not exist"
    known = ", ".join(names) or "none in this installation"
    raise WeightsError(
        f"weights '{name_or_path}': {what}; give a file (.safetensors, .pth) or a shipped name: "
        f"{known}"
    )
