"""The section of worst frames, with their pictures inside the page."""

from __future__ import annotations

import base64
import io
import warnings
from pathlib import Path

from PIL import Image

from zeroco_ros.replay.record import BagRecord, ReplayRun, WorstFrame
from zeroco_ros.report.document import section
from zeroco_ros.report.markup import Markup, element
from zeroco_ros.report.number_text import number, seconds, with_unit
from zeroco_ros.report.tracks import catalog

WIDEST = 1280  # pixels of a picture in the page
LARGEST = 50_000_000  # pixels of a file that is opened at all
QUALITY = 82
SHOWN = 24  # pictures in a page; the worst of each bag and metric come first


def worst_section(folder: Path, run: ReplayRun) -> Markup | None:
    """Return the pictures of the worst frames; None where there are none."""
    found = [(bag, worst) for bag in run.ok for worst in bag.worst]
    if not found:
        return None
    chosen = _chosen(found)
    figures = [_figure(folder, run, bag, worst) for bag, worst in chosen]
    note = "The frames to look at first. Press a picture to see it at full size."
    if len(chosen) < len(found):
        note += f" {len(chosen)} of {len(found)}; the others are in the run's folder."
    return section("worst", "Worst frames", element("div", figures, class_="worst"), note=note)


def _chosen(found: list[tuple[BagRecord, WorstFrame]]) -> list[tuple[BagRecord, WorstFrame]]:
    """At most SHOWN: each bag and metric has its first one before any has its second."""
    turns: dict[tuple[str, str], int] = {}
    ranked = []
    for order, (bag, worst) in enumerate(found):
        key = (bag.name, worst.metric)
        turns[key] = turns.get(key, -1) + 1
        ranked.append((turns[key], order))
    keep = {order for _, order in sorted(ranked)[:SHOWN]}
    return [one for order, one in enumerate(found) if order in keep]


def _figure(folder: Path, run: ReplayRun, bag: BagRecord, worst: WorstFrame) -> Markup:
    metric = catalog(run).get(worst.metric)
    title = metric.title if metric is not None else worst.metric
    unit = metric.unit if metric is not None and metric.unit != "ratio" else ""
    value = with_unit(number(worst.value), unit)
    alt = f"Frame {worst.frame} of {bag.name}, {title} {value}: {worst.caption}"
    head = element(
        "div", element("h3", f"{title} {value}"), element("span", f"frame {worst.frame}"),
        class_="titled",
    )  # fmt: skip
    place = f"{bag.name}, stamp {seconds(worst.stamp)} s"
    caption = element("figcaption", head, element("p", place), element("p", worst.caption))
    return element("figure", _picture(folder, worst.picture, alt), caption)


def _picture(folder: Path, name: str, alt: str) -> Markup:
    """Return the picture as a button that opens it, or a sentence where it cannot be read."""
    try:
        source, size = embedded(folder, name)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return element("p", f"The picture {name} cannot be shown: {error}", class_="small quiet")
    image = element("img", src=source, alt=alt, width=size[0], height=size[1])
    return element("button", image, class_="open", type="button")


def embedded(folder: Path, name: str) -> tuple[str, tuple[int, int]]:
    """Return a picture of a run's folder as a data URI of WebP, and its (width, height).

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
