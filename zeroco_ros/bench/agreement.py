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

"""Whether the fast way computes the same flow as the plain one, with trained weights."""

from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt

from zeroco_ros.bench.plain import PlainTwoPass
from zeroco_ros.bench.plan import Plan
from zeroco_ros.bench.record import Cell, Column, Section
from zeroco_ros.bench.step import cpu_precisions
from zeroco_ros.bench.subjects import agreement_pairs, network_config, open_subject
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.frames import normalize

FloatArray = npt.NDArray[np.float32]
MEDIAN, TAIL = 0.1, 0.5  # pixels, of the network's input
SURE = 0.5
SIZE = (224, 224)
COLUMNS = (
    Column("precision", "precision"),
    Column("pair", "pair"),
    Column("median", "median, px", 3),
    Column("tail", "99 %, px", 3),
    Column("median_all", "median, all", 3),
    Column("tail_all", "99 %, all", 2),
    Column("sure", "sure, %", 0),
)


def agreement_section(plan: Plan) -> Section:
    """Return the distance of the stream's flow from the plain implementation's, per precision."""
    subject = open_subject("default")
    plain = PlainTwoPass(
        copy.deepcopy(subject.model), register_fix=subject.register_fix, beta=subject.beta
    )
    pairs = list(agreement_pairs(SIZE, 2 if plan.quick else 6))
    rows: list[dict[str, Cell]] = []
    failed = []
    for precision in cpu_precisions():
        estimator = FlowEstimator.from_model(
            subject.model, network_config(SIZE, precision), metadata=subject.metadata
        )
        distances, masks = [], []
        for name, (target, source) in pairs:
            plan.say(f"agreement: {precision}, {name}")
            result = estimator.estimate(target, source)
            expected = plain.flow(normalize(target), normalize(source))
            distance = np.linalg.norm(result.flow - expected, axis=2)
            distances.append(distance)
            masks.append(result.confidence >= SURE)
            rows.append(_row(precision, name, distance, masks[-1]))
        whole = _row(precision, "all", np.stack(distances), np.stack(masks))
        rows.append(whole)
        failed += _failures(precision, whole)
    return Section(
        "agreement",
        "Flow of the stream against the plain implementation's, shipped weights, 224x224",
        COLUMNS,
        tuple(rows),
        (
            f"Distances in pixels where the confidence is at least {SURE:g} (sure: their share), "
            "and, in the columns named all, everywhere: where an image says nothing, the best of "
            "two equal matches may be either.",
            f"Asked for: median {MEDIAN:g}, 99th percentile {TAIL:g} px over all pairs.",
        ),
        tuple(failed),
    )


def _row(
    precision: str, pair: str, distance: FloatArray, sure: npt.NDArray[np.bool_]
) -> dict[str, Cell]:
    certain = distance[sure] if sure.any() else distance
    return {
        "precision": precision,
        "pair": pair,
        "median": float(np.median(certain)),
        "tail": float(np.percentile(certain, 99)),
        "median_all": float(np.median(distance)),
        "tail_all": float(np.percentile(distance, 99)),
        "sure": 100 * float(sure.mean()),
    }


def _failures(precision: str, whole: dict[str, Cell]) -> list[str]:
    median, tail = float(whole["median"] or 0), float(whole["tail"] or 0)
    if median <= MEDIAN and tail <= TAIL:
        return []
    return [
        f"{precision}: flow within {MEDIAN:g} px (median) and {TAIL:g} px (99 %) of the plain "
        f"implementation (found {median:.3f} and {tail:.3f})"
    ]
