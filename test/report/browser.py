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
Pages opened in a real headless browser, without any package: Chromium and its --dump-dom.

A copy of the page gets a probe: a script, allowed by its hash in the copy's policy, that works the
page as a person would and tells what it found. Each copy is shown in a frame of the wanted width.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
import hashlib
import html
import json
from pathlib import Path
import re
import shutil
import subprocess
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 300  # seconds; a browser on a loaded machine

PROBE = """
"use strict";
const found = {errors: [], violations: []};
window.addEventListener("error", (event) => found.errors.push(String(event.message)));
document.addEventListener("securitypolicyviolation", (event) =>
  found.violations.push(event.violatedDirective + " " + event.blockedURI));
window.addEventListener("load", () => {
  const root = document.documentElement;
  found.width = innerWidth;
  found.scroll = root.scrollWidth;
  found.theme = root.dataset.theme;
  document.getElementById("theme").click();
  found.otherTheme = root.dataset.theme;
  found.plots = document.querySelectorAll(".plot > script").length;
  found.tips = document.querySelectorAll(".plot > .tip").length;
  const plot = document.querySelectorAll("#curves .pairs .plot")[0];
  const svg = plot.querySelector(".drawing");
  const box = svg.getBoundingClientRect();
  svg.dispatchEvent(new PointerEvent("pointermove",
    {clientX: box.left + box.width / 2, clientY: box.top + 5, bubbles: true}));
  found.tip = plot.querySelector(".tip").innerText;
  found.crosses = document.querySelectorAll(".cross").length;
  plot.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight"}));
  found.next = plot.querySelector(".tip").innerText;
  found.cut = [...document.querySelectorAll(".scroll")].filter((box) =>
    box.scrollWidth > box.clientWidth && getComputedStyle(box).overflowX !== "auto").length;
  found.small = [...document.querySelectorAll("svg text")]
    .map((text) => text.getBoundingClientRect().height)
    .filter((height) => height > 0 && height < 9).length;
  found.lines = document.querySelectorAll("[data-group]:not(.hidden)").length;
  const pick = document.querySelector('[data-pick="0"]');
  if (pick) pick.click();
  found.picked = document.querySelectorAll("[data-group]:not(.hidden)").length;
  const picture = document.querySelector("button.open");
  if (picture) {
    picture.click();
    found.dialog = document.querySelector("dialog").open;
    found.picture = picture.querySelector("img").naturalWidth;
  }
  parent.postMessage({name: location.hash.slice(1), found}, "*");
});
"""
OUTER = """<!DOCTYPE html><html><body>{frames}<pre></pre><script>
const all = {{}};
addEventListener("message", (event) => {{
  all[event.data.name] = event.data.found;
  document.querySelector("pre").textContent = JSON.stringify(all);
}});
</script></body></html>"""
FRAME = '<iframe width="{width}" height="900" src="{page}#{name}"></iframe>'


@dataclass(frozen=True)
class Visit:
    """What the probe found by the name of the frame, and what the browser's console was told."""

    found: dict[str, dict[str, Any]]
    console: list[str]


def browser() -> str:
    """Return a browser that starts here; skip the test where there is none."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no headless browser here ({', '.join(NAMES)})")
    return path


def visit(pages: dict[str, tuple[Path, int]], folder: Path) -> Visit:
    """Open pages, each at a width in CSS pixels, and let the probe work on them."""
    frames = []
    for name, (page, width) in pages.items():
        copy = folder / f"{name}.html"
        copy.write_text(_probed(page.read_text(encoding="utf-8")), encoding="utf-8")
        frames.append(FRAME.format(width=width, page=copy.name, name=name))
    outer = folder / "outer.html"
    outer.write_text(OUTER.format(frames="".join(frames)), encoding="utf-8")
    done = _run(outer, folder / "profile")
    told = re.search(r"<pre>(.*?)</pre>", done.stdout, re.DOTALL)
    assert told is not None and told[1], f"the probe told nothing: {done.stderr[-2000:]}"
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return Visit(json.loads(html.unescape(told[1])), console)


def _probed(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(PROBE.encode()).digest()).decode()
    text = text.replace("script-src ", f"script-src &#x27;sha256-{digest}&#x27; ", 1)
    return text.replace("<title>", f"<script>{PROBE}</script><title>", 1)


def _run(page: Path, profile: Path) -> subprocess.CompletedProcess[str]:
    command = [
        browser(),
        "--headless",
        "--no-sandbox",  # a container has none; the page is our own
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        f"--user-data-dir={profile}",
        "--window-size=1400,1000",
        "--virtual-time-budget=10000",
        "--enable-logging=stderr",
        "--dump-dom",
        page.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if done.returncode != 0 and not done.stdout:
        pytest.skip(f"the browser does not start here: {done.stderr[-300:]}")
    return done
