"""What the parity gate said of plans, kept beside them, so that a wrong engine stays refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone

from zeroco_ros.engine.bundle import sha256
from zeroco_ros.engine.cache import PlanCache


@dataclass(frozen=True)
class Verdict:
    """passed: whether the plans may be trusted; faults: what was outside of the limits, in words;
    when: ISO 8601, UTC.
    """

    passed: bool
    faults: tuple[str, ...]
    when: str


def read_verdict(cache: PlanCache, plans: Mapping[str, str]) -> Verdict | None:
    """The verdict on exactly these plans (graph name to sha256), None where there is none."""
    content = cache.read(_file(plans))
    if content is None:
        return None
    try:
        values = json.loads(content)
        faults = tuple(str(fault) for fault in values["faults"])
        passed = values["passed"] is True
        return Verdict(passed, faults or (() if passed else ("no reason kept",)), values["when"])
    except (ValueError, TypeError, KeyError):
        return None


def write_verdict(
    cache: PlanCache, plans: Mapping[str, str], passed: bool, faults: tuple[str, ...]
) -> Verdict:
    """Keep a verdict; where the cache cannot be written it holds for this process only."""
    when = datetime.now(timezone.utc).isoformat(timespec="seconds")
    verdict = Verdict(passed, faults, when)
    text = json.dumps({**asdict(verdict), "plans": dict(plans)}, indent=2) + "\n"
    cache.write(_file(plans), text.encode())
    return verdict


def _file(plans: Mapping[str, str]) -> str:
    return f"verdict-{sha256(json.dumps(dict(plans), sort_keys=True).encode())[:20]}.json"
