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
    """Return what --dataset names.

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
