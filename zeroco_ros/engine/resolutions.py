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

"""Camera resolutions by name: an engine is for one, and most cameras have a known one."""

from __future__ import annotations

import re

from zeroco_ros.errors import ConfigError

LEAST = 16  # pixels: one token
# Width and height in pixels.
RESOLUTIONS = {
    "qvga": (320, 240),
    "vga": (640, 480),
    "wvga": (752, 480),
    "svga": (800, 600),
    "d455": (848, 480),
    "zed": (672, 376),
    "720p": (1280, 720),
    "1080p": (1920, 1080),
}


def image_size(text: str) -> tuple[int, int]:
    """Width and height of "640x480" or a name in `RESOLUTIONS`; ConfigError otherwise."""
    name = text.strip().lower()
    if name in RESOLUTIONS:
        return RESOLUTIONS[name]
    match = re.fullmatch(r"(\d{2,5})x(\d{2,5})", name)
    if match is None or min(int(match[1]), int(match[2])) < LEAST:
        names = ", ".join(f"{key} ({w}x{h})" for key, (w, h) in RESOLUTIONS.items())
        raise ConfigError(
            f"--image is {text!r}: give WIDTHxHEIGHT in pixels, {LEAST}x{LEAST} or more, such as "
            f"640x480, or one of {names}"
        )
    return int(match[1]), int(match[2])
