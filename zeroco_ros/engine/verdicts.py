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

"""What the parity gate said of plans, kept beside them, so that a wrong engine stays refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
import json

from zeroco_ros.engine.bundle import sha256
from zeroco_ros.engine.cache import PlanCache


@dataclass(frozen=True)
class Verdict:
    """
    A verdict.

    passed: whether the plans may be trusted; faults: what was outside of the limits, in words;
    when: ISO 8601, UTC.
    """

    passed: bool
    faults: tuple[str, ...]
    when: str


def read_verdict(cache: PlanCache, plans: Mapping[str, str]) -> Verdict | None:
    """Return verdict on exactly these plans (graph name to sha256), None where there is none."""
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
