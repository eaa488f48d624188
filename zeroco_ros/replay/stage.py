"""What the tasks of one bag share."""

from __future__ import annotations

from dataclasses import dataclass, field

from zeroco_ros.replay.messages import ResultBag
from zeroco_ros.replay.pool import Pool
from zeroco_ros.replay.reference import Reference
from zeroco_ros.replay.rows import Clock, Rows, WorstFrames


@dataclass
class Stage:
    """Where results go and truth comes from. bag: the output bag; now: seconds of bag time."""

    bag: ResultBag
    reference: Reference
    rows: Rows = field(default_factory=Rows)
    pool: Pool = field(default_factory=Pool)
    worst: WorstFrames = field(default_factory=WorstFrames)
    clock: Clock = field(default_factory=Clock)
    now: float = 0.0
