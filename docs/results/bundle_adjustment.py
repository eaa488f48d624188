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
Times one Gauss-Newton iteration of dense bundle adjustment and writes bundle_adjustment.md.

python docs/results/bundle_adjustment.py --out docs/results/bundle_adjustment.md

One thread. Every method solves the same damped system, and the largest difference of its step from
the package's step in float64 stands beside its time. Needs numpy, scipy and torch only.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
import gc
import os
from pathlib import Path
import time

from bundle_adjustment_methods import (
    Case,
    dense,
    FRAMES,
    make_case,
    Package,
    PER_FRAME,
    sparse,
    system,
    textbook,
)
import numpy as np
import torch

from zeroco_ros.evaluation.tables import markdown_table, page
from zeroco_ros.geometry.bundle_adjustment_linear import Linearizer
from zeroco_ros.geometry.bundle_adjustment_schur import Step

GRID = (60, 80)
DENSE_GRIDS = ((12, 16), (18, 24), (24, 32))
NOTE = """\
Processor time, least and median of several runs; the machine did other work meanwhile (its load
is above), which costs cache, so that an idle machine's medians are better. An iteration is all
that one step needs: projection, derivatives, elimination of the depths, solution,
back-substitution, new poses and depths. Difference: of its change of the poses from the first
line's, relative. `robust` adds the Huber kernel, which `bundle_adjust` uses by default.

The iteration is bound by memory and by calls: torch runs it as some six hundred calls, views
counted, whose intermediate arrays pass through the cache, which the floor does not count.

The textbook layout has the derivatives by both poses for every point and edge, their products and
one matrix between all poses and all depths, as DROID-SLAM's Python code; here it is in torch on
top of this package's reference step. The package instead takes derivatives by the relative pose
only, moves them to the poses in small matrices, and eliminates the depths of each frame for the
edges that leave it. The sparse solution hands the whole system, depths first, to SuperLU; making
that system is not counted.""".splitlines()
FLOOR_NOTE = """\
The floor: bytes and operations that an iteration cannot do without (counted in `floor` of the
script, generously low) over the rates of a large copy and a large matrix product in this run; the
larger of the two times, and their sum.""".splitlines()


@dataclass(frozen=True)
class Timing:
    """Milliseconds of processor time: least and median; repetitions."""

    least: float
    median: float
    count: int


def timed(run: Callable[[], object], seconds: float, most: int = 200) -> Timing:
    """
    Repeat for about so long, at least once after a first run that is not counted.

    That first run is left out for what takes longer than the time given.
    """
    spent: list[float] = []
    began = time.process_time()
    while len(spent) < 2 or (time.process_time() - began < seconds and len(spent) < most):
        before = time.process_time()
        run()
        spent.append(1e3 * (time.process_time() - before))
        if spent[0] > 1e3 * seconds:
            break
    counted = spent[1:] or spent
    return Timing(min(counted), float(np.median(counted)), len(counted))


def rates(dtype: torch.dtype) -> tuple[float, float]:
    """
    Return what this machine can do, measured in this run.

    Bytes per second copied between large arrays (read and written), and operations per second of a
    matrix product.
    """
    large = torch.zeros(1 << 25, dtype=dtype)
    other = torch.empty_like(large)
    copy = timed(lambda: other.copy_(large), 1.0)
    square = torch.randn(1500, 1500, dtype=dtype)
    out = torch.empty_like(square)
    product = timed(lambda: torch.mm(square, square, out=out), 1.5)
    moved = 2 * large.numel() * large.element_size()
    return 1e3 * moved / copy.least, 1e3 * 2 * 1500**3 / product.least


def floor(points: int, size: int) -> tuple[float, float]:
    """
    Bytes and operations that one iteration cannot do without, counted generously low.

    Read once: two targets and two weights per point and edge, inverse depths; written once: new
    inverse depths; between: six products of pose and depth, written once, read once. Operations
    (a multiplication and an addition are two): 40 for projection and derivatives, half of a 7 x 7
    product for both axes, the six products, and the symmetric half of what is eliminated.
    """
    edges = FRAMES * PER_FRAME
    numbers = points * (edges * (4 + 2 * 6) + FRAMES * 2)
    block = 6 * PER_FRAME
    per_edge = 40 + 2 * 2 * 28 + 2 * 2 * 6
    eliminated = 2 * block * (block + 1) / 2 + 4 * block
    return float(numbers * size), points * (edges * per_edge + FRAMES * eliminated)


def row(name: str, timing: Timing, step: Step, reference: Step) -> list[str]:
    """One line of the table; the difference is relative to the largest change of a pose."""
    scale = float(reference.cameras.abs().max())
    off = float((step.cameras.double() - reference.cameras).abs().max()) / scale
    times = [f"{timing.least:.2f}", f"{timing.median:.2f}", str(timing.count)]
    return [name, *times, f"{off:.0e}"]


@torch.inference_mode()
def main() -> None:
    """Time everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/results/bundle_adjustment.md"))
    parser.add_argument("--seconds", type=float, default=3.0, help="per method")
    options = parser.parse_args()
    torch.set_num_threads(1)
    load = os.getloadavg()[0]
    reference = Package(make_case(*GRID, "float64"))()
    rows, floors = [], []
    for dtype in ("float64", "float32"):
        rows += iterations(dtype, reference, options.seconds)
        floors.append(floor_row(dtype))
        gc.collect()
    case = make_case(*GRID, "float64")
    matrix, right, depths = system(case.problem, Linearizer(case.problem)(case.state))
    solution = sparse(matrix, right, depths)
    once = timed(lambda: sparse(matrix, right, depths), options.seconds)
    rows.append(row("sparse LU of the whole system (solution only)", once, solution, reference))
    facts = {
        "command": "`python docs/results/bundle_adjustment.py`",
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "problem": f"{FRAMES} frames of {GRID[1]} x {GRID[0]} points, {FRAMES * PER_FRAME} edges",
        "machine": f"one thread of {os.cpu_count()} cores; load {load:.1f} at the start, "
        f"{os.getloadavg()[0]:.1f} at the end",
        "versions": f"torch {torch.__version__}, numpy {np.__version__}",
    }
    head = ["one iteration", "least ms", "median ms", "times", "difference"]
    low = ["arithmetic", "MB", "Mflop", "copy GB/s", "product Gflop/s", "floor ms", "sum ms"]
    parts = [
        NOTE,
        markdown_table(head, rows),
        FLOOR_NOTE,
        markdown_table(low, floors),
        *dense_part(options.seconds),
    ]
    options.out.write_text(page("Time of dense bundle adjustment", facts, *parts))
    print(options.out.read_text())


def iterations(dtype: str, reference: Step, seconds: float) -> list[list[str]]:
    """Lines of the package and the textbook's layout in one arithmetic."""
    lines = []
    for robust in ("none", "huber"):
        case = make_case(*GRID, dtype, robust)
        package = Package(case)
        step = package()
        name = f"this package, {dtype}{', robust' if robust != 'none' else ''}"
        lines.append(row(name, timed(package, seconds), step, reference))
        if robust != "none":
            lines[-1][-1] = "other cost"
    case = make_case(*GRID, dtype)
    timing = timed(lambda: textbook(case), seconds)
    lines.append(row(f"textbook layout, {dtype}", timing, textbook(case), reference))
    return lines


def floor_row(dtype: str) -> list[str]:
    """Line of the table of floors."""
    kind = getattr(torch, dtype)
    moved, operations = floor(GRID[0] * GRID[1], kind.itemsize)
    bandwidth, rate = rates(kind)
    parts = (1e3 * moved / bandwidth, 1e3 * operations / rate)
    return [
        dtype,
        f"{moved / 1e6:.1f}",
        f"{operations / 1e6:.0f}",
        f"{bandwidth / 1e9:.1f}",
        f"{rate / 1e9:.0f}",
        f"{max(parts):.2f}",
        f"{sum(parts):.2f}",
    ]


def dense_part(seconds: float) -> list[list[str]]:
    """Table of the dense solution on smaller grids, and what follows for the whole one."""
    rows, unknowns, times = [], [], []
    for grid in DENSE_GRIDS:
        case: Case = make_case(*grid, "float64")
        step = Package(case)()
        sparse_matrix, right, depths = system(case.problem, Linearizer(case.problem)(case.state))
        matrix, side = torch.from_numpy(sparse_matrix.toarray()), torch.from_numpy(right)
        timing = timed(lambda a=matrix, b=side, d=depths: dense(a, b, d), seconds)
        unknowns.append(len(side))
        times.append(timing.least)
        found = dense(matrix, side, depths)
        label = f"{grid[1]} x {grid[0]}"
        rows.append([label, str(len(side)), *row("", timing, found, step)[1:]])
        del matrix, sparse_matrix
        gc.collect()
    whole = FRAMES * GRID[0] * GRID[1] + case.problem.unknowns
    cubic = times[-1] * (whole / unknowns[-1]) ** 3 / 1e3
    memory = 8 * whole**2 / 1e9
    text = [
        f"The {GRID[1]} x {GRID[0]} grids have {whole} unknowns: the matrix alone would take "
        f"{memory:.1f} GB, and the",
        f"last line's time, scaled with the cube of the unknowns, makes {cubic:.0f} s "
        "(extrapolated, not run).",
    ]
    head = ["grid", "unknowns", "least ms", "median ms", "times", "difference"]
    return [
        ["Dense Cholesky of the whole system, solution only, float64:"],
        markdown_table(head, rows),
        text,
    ]


if __name__ == "__main__":
    main()
