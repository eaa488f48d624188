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

"""Options that several parts of `zeroco eval` read."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from zeroco_ros.errors import ConfigError


def listed(text: str, option: str) -> list[str]:
    """Names separated by commas, each once. Raises ConfigError if there is none."""
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise ConfigError(f"{option} is empty: give names separated by commas")
    return names


def dataset_kinds(args: argparse.Namespace, datasets: Iterable[str]) -> list[str]:
    """
    Return what --dataset names.

    Raises ConfigError for anything but `datasets` and procedural.
    """
    kinds, known = listed(args.dataset, "--dataset"), (*datasets, "procedural")
    unknown = [kind for kind in kinds if kind not in known]
    if unknown:
        raise ConfigError(
            f"unknown --dataset {', '.join(unknown)} of {args.what}: use some of "
            f"{', '.join(known)}"
        )
    return kinds


def named_sets(sets: list[Any], text: str | None) -> list[Any]:
    """Those of `sets` that --sets names, all for None. Raises ConfigError for an unknown name."""
    if not text:
        return sets
    wanted, known = listed(text, "--sets"), [one.name for one in sets]
    absent = [name for name in wanted if name not in known]
    if absent:
        raise ConfigError(f"unknown set {', '.join(absent)}: there are {', '.join(known)}")
    return [one for one in sets if one.name in wanted]
