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
Draws docs/images/report*.png: pages of real replays, as a headless browser shows them.

python docs/report_pictures.py WORK

Renders the demonstration's procedural drive into bags, plays them with `zeroco replay` (the preset
default, and the preset fast to compare with), and takes pictures with Chromium (apt install
chromium). What is in the folder WORK already is kept, so it can be run again for the pictures.
"""

from __future__ import annotations

import os
from pathlib import Path
import shutil
import subprocess
import sys

from PIL import Image

from zeroco_ros.cli import main as zeroco
from zeroco_ros.demo.synthetic import write_synthetic_bag

IMAGES = Path(__file__).resolve().parent / "images"
BAGS = {"gallery_drive": (60, 0), "gallery_start": (24, 1)}  # frames, seed of the noise
LIGHT, DARK = 1, 0  # Chromium's preferredColorScheme
PHONE = 390


def main() -> int:
    """Play the bags, write the reports, take the pictures."""
    if len(sys.argv) != 2:
        print("usage: python docs/report_pictures.py WORK", file=sys.stderr)
        return 2
    work = Path(sys.argv[1]).resolve()
    work.mkdir(parents=True, exist_ok=True)
    os.chdir(work)  # so that no path of this machine is in a report
    _bags()
    every, one = [*BAGS, "cut_off"], ["gallery_start"]
    for folder, bags, options in (
        ("fleet", every, []),
        ("before", one, []),
        ("after", one, ["-p", "preset:=fast"]),
    ):
        zeroco(["replay", *bags, "-o", folder, "--reference", "auto", *options])
        zeroco(["report", folder])
    zeroco(["report", "before", "after"])
    report, comparison = work / "fleet" / "report.html", work / "after" / "compare.html"
    _save("report.png", [_shot(report, "", 1200, 1560, LIGHT)], 1000)
    phone = [_shot(report, part, PHONE, 844, LIGHT) for part in ("", "curves", "calibration")]
    _save("report_phone.png", phone, 1000)
    _save("report_dark.png", [_shot(report, "worst", 1200, 1180, DARK)], 800)
    _save("report_compare.png", [_shot(comparison, "", 1200, 1400, LIGHT)], 1000)
    return 0


def _bags() -> None:
    """Render the drive and its beginning; a third bag is cut off, as by an empty battery."""
    for name, (frames, seed) in BAGS.items():
        if not Path(name).exists():
            write_synthetic_bag(name, frames=frames, seed=seed)
    broken = Path("cut_off")
    broken.mkdir(exist_ok=True)
    for file in Path("gallery_start").iterdir():
        (broken / file.name).write_bytes(file.read_bytes()[:100_000])


def _shot(page: Path, anchor: str, width: int, height: int, scheme: int) -> Image.Image:
    """Return what a window of this size shows of a page from an anchor on."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        raise SystemExit("report_pictures: chromium is missing (apt install chromium)")
    # a window has 500 pixels at least: the page is shown in a frame inside it
    frame = page.with_name("frame.html")
    frame.write_text(
        f'<body style="margin:0"><iframe style="border:0;display:block" width="{width}" '
        f'height="{height}" src="{page.name}#{anchor}"></iframe></body>'
    )
    picture = page.with_name("shot.png")
    command = [
        browser,
        "--headless",
        "--no-sandbox",  # a container has none; the page is our own
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={page.with_name('profile')}",
        f"--window-size={max(width, 500)},{height}",
        f"--blink-settings=preferredColorScheme={scheme}",
        "--virtual-time-budget=10000",
        f"--screenshot={picture}",
        frame.as_uri(),
    ]
    subprocess.run(command, check=True, capture_output=True)
    with Image.open(picture) as opened:
        return opened.convert("RGB").crop((0, 0, width, height))


def _save(name: str, shots: list[Image.Image], width: int) -> None:
    """Write pictures side by side as a PNG with few colors."""
    gap = 16
    total = sum(one.width for one in shots) + gap * (len(shots) - 1)
    whole = Image.new("RGB", (total, shots[0].height), "white")
    left = 0
    for one in shots:
        whole.paste(one, (left, 0))
        left += one.width + gap
    height = round(whole.height * width / total)
    small = whole.resize((width, height), Image.Resampling.LANCZOS)
    path = IMAGES / name
    small.quantize(256, kmeans=4).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    sys.exit(main())
