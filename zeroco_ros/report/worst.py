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

"""The section of worst frames, with their pictures inside the page."""

from __future__ import annotations

import base64
from dataclasses import dataclass
import io
from pathlib import Path
import warnings

from PIL import Image

from zeroco_ros.replay.record import BagRecord, Metric, ReplayRun, WorstFrame
from zeroco_ros.report.document import section
from zeroco_ros.report.markup import element, Markup
from zeroco_ros.report.number_text import number, seconds, with_unit
from zeroco_ros.report.tracks import catalog, sentence

WIDEST = 1280  # pixels of a picture in the page
LARGEST = 50_000_000  # pixels of a file that is opened at all
QUALITY = 82
SHOWN = 24  # pictures in a page
FIRST = 8  # of them not folded away


@dataclass(frozen=True)
class Shown:
    """A picture, with all the metrics that this frame is one of the worst by."""

    bag: BagRecord
    worst: list[WorstFrame]


def worst_section(folder: Path, run: ReplayRun) -> Markup | None:
    """Return the pictures of the worst frames; None where there are none."""
    metrics = catalog(run)
    found = _pictures(run, metrics)
    if not found:
        return None
    chosen = found[:SHOWN]
    figures = [_figure(folder, metrics, one) for one in chosen]
    more = figures[FIRST:]
    folded = element(
        "details",
        element("summary", f"More pictures ({len(more)})"),
        element("div", more, class_="worst"),
        class_="after",
    )
    note = "The frames to look at first. Press a picture to see it at full size."
    if len(chosen) < len(found):
        note += f" {len(chosen)} of {len(found)}; the others are in the run's folder."
    shown = element("div", figures[:FIRST], class_="worst")
    return section("worst", "Worst frames", shown, folded if more else None, note=note)


def _pictures(run: ReplayRun, metrics: dict[str, Metric]) -> list[Shown]:
    """Return the worst frame of each metric, then the second ones; a picture comes once."""
    places = {name: place for place, name in enumerate(metrics)}
    turns: dict[tuple[int, str], int] = {}
    ranked = []
    for number_, bag in enumerate(run.ok):
        for worst in bag.worst:
            turn = turns[number_, worst.metric] = turns.get((number_, worst.metric), -1) + 1
            ranked.append((turn, places.get(worst.metric, len(places)), number_, bag, worst))
    ranked.sort(key=lambda one: one[:3])
    shown: dict[tuple[int, int, str], Shown] = {}
    for *_, number_, bag, worst in ranked:
        key = (number_, worst.frame, worst.caption)
        shown.setdefault(key, Shown(bag, [])).worst.append(worst)
    return list(shown.values())


def _figure(folder: Path, metrics: dict[str, Metric], shown: Shown) -> Markup:
    first = shown.worst[0]
    titles = [_title(metrics.get(one.metric), one) for one in shown.worst]
    alt = f"Frame {first.frame} of {shown.bag.name}, {titles[0]}: {first.caption}"
    head = element(
        "div",
        element("h3", titles[0]),
        element("span", f"frame {first.frame}"),
        class_="titled",
    )
    also = element("p", f"also {', '.join(titles[1:])}") if titles[1:] else None
    place = f"{shown.bag.name}, stamp {seconds(first.stamp)} s"
    caption = element(
        "figcaption", head, also, element("p", place), element("p", sentence(first.caption))
    )
    return element("figure", _picture(folder, first.picture, alt), caption)


def _title(metric: Metric | None, worst: WorstFrame) -> str:
    unit = metric.unit if metric is not None and metric.unit != "ratio" else ""
    title = metric.title if metric is not None else worst.metric
    return f"{title} {with_unit(number(worst.value), unit)}"


def _picture(folder: Path, name: str, alt: str) -> Markup:
    """Return the picture as a button that opens it, or a sentence where it cannot be read."""
    try:
        source, size = embedded(folder, name)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return element("p", f"The picture {name} cannot be shown: {error}", class_="small quiet")
    image = element("img", src=source, alt=alt, width=size[0], height=size[1])
    return element("button", image, class_="open", type="button")


def embedded(folder: Path, name: str) -> tuple[str, tuple[int, int]]:
    """
    Return a picture of a run's folder as a data URI of WebP, and its (width, height).

    Raises ValueError for a path that leads out of the folder or a picture of more than LARGEST
    pixels, OSError where it cannot be read.
    """
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError("it lies outside of the run's folder")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as opened:
            if opened.width * opened.height > LARGEST:
                raise ValueError(f"it has {opened.width} x {opened.height} pixels")
            picture = opened.convert("RGB")
    if picture.width > WIDEST:
        height = max(1, round(picture.height * WIDEST / picture.width))
        picture = picture.resize((WIDEST, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=QUALITY, method=4)
    text = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/webp;base64,{text}", picture.size
