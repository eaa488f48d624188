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

"""What `zeroco eval` writes: facts about the run, JSON, page and picture."""

from __future__ import annotations

import argparse
from collections.abc import Callable
import datetime
import json
import os
from pathlib import Path
import shlex
import sys
from typing import Any


def run_facts(args: argparse.Namespace) -> dict[str, str]:
    """Command line, date, machine, versions and weights: what a number needs beside it."""
    import cv2

    from zeroco_ros import __version__
    from zeroco_ros.commands.info import cpu
    from zeroco_ros.estimate.config import preset

    machine = cpu()
    facts = {
        "command": f"`zeroco {shlex.join(sys.argv[1:])}`",
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{machine['model']}, {machine['cores']} cores",
        "versions": f"zeroco_ros {__version__}, OpenCV {cv2.__version__}",
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        facts["versions"] += f", torch {torch.__version__}"
        facts["threads"] = f"torch {torch.get_num_threads()}, OpenCV {cv2.getNumThreads()}"
        facts["weights"] = _identity(args.weights or "default")
        head = args.head or preset("default").head
        if head != "none":
            facts["head"] = _identity(head)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    if load is not None:
        facts["load"] = f"{load:.1f} (mean over the last minute; this run included)"
    return facts


def _identity(name: str) -> str:
    """Name and SHA-256 of a shipped name or a model file."""
    import hashlib

    from zeroco_ros.weights import resolve

    return f"{Path(name).name}, sha256 {hashlib.sha256(resolve(name).read_bytes()).hexdigest()}"


def write_json(args: argparse.Namespace, report: dict[str, Any]) -> None:
    """Write --json, if that is wanted."""
    if args.json:
        _write(args.json, (json.dumps(report, indent=1) + "\n").encode())


def write_page(args: argparse.Namespace, page: Callable[[str | None], str]) -> None:
    """Write --markdown, if that is wanted: `page` of the picture's path from there, or None."""
    if args.markdown:
        folder = Path(args.markdown).absolute().parent
        link = None
        if args.picture:
            link = Path(os.path.relpath(Path(args.picture).absolute(), folder)).as_posix()
        _write(args.markdown, page(link).encode())


def write_picture(args: argparse.Namespace, picture: Callable[[], bytes]) -> None:
    """Write --picture, if that is wanted, as `picture` makes it."""
    if args.picture:
        _write(args.picture, picture())


def _write(path: str, content: bytes) -> None:
    from zeroco_ros.media.atomic import atomic_write

    with atomic_write(path) as handle:
        handle.write(content)
