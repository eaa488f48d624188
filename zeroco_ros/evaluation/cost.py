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
Time and memory of one method, measured in a process of its own.

Run as `python -m zeroco_ros.evaluation.cost` by `measure_cost`, it prints one line of JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
import json
from pathlib import Path
import subprocess
import sys
import tempfile
import time
from typing import Any, TYPE_CHECKING

import cv2
import numpy as np

from zeroco_ros.evaluation.methods import make_method
from zeroco_ros.media.images import RGB

if TYPE_CHECKING:
    from zeroco_ros.estimate.network import NetworkOptions

REPEATS = 3


@dataclass(frozen=True)
class Cost:
    """
    What one estimate of a pair takes.

    method: its name. size: (height, width) of the pair. seconds: median by the clock, by number
    of CPU threads. memory: growth of the peak resident memory in MB (1e6 bytes) over Python,
    NumPy, OpenCV and the pair, None where the system does not tell; loaded: of that, what the
    libraries and weights take before the first estimate.
    """

    method: str
    size: tuple[int, int]
    seconds: dict[int, float]
    memory: float | None
    loaded: float | None


def measure_cost(
    name: str,
    target: RGB,
    source: RGB,
    threads: Sequence[int],
    options: NetworkOptions | None = None,
    head: str | None = None,
) -> Cost:
    """
    Time and memory of method `name` on a pair (H, W, 3) uint8 RGB, in a new process.

    options, head: as of `make_method`; the threads of the options do not count.
    Raises RuntimeError with the process's last words if it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        pair = Path(folder) / "pair.npz"
        np.savez(pair, target=target, source=source)
        task = json.dumps(
            {
                "name": name,
                "pair": str(pair),
                "threads": list(threads),
                "options": None if options is None else asdict(options),
                "head": head,
            },
            default=str,  # paths
        )
        done = subprocess.run(
            [sys.executable, "-m", "zeroco_ros.evaluation.cost", task],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        words = done.stderr.strip().splitlines() or ["no message"]
        raise RuntimeError(f"measuring {name} failed: {words[-1]}")
    found = json.loads(done.stdout.splitlines()[-1])
    seconds = {int(count): float(value) for count, value in found["seconds"].items()}
    height, width = found["size"]
    return Cost(name, (height, width), seconds, found["memory"], found["loaded"])


def _measure(
    name: str,
    pair: str,
    threads: Sequence[int],
    options: dict[str, Any] | None,
    head: str | None,
) -> Cost:
    with np.load(pair) as arrays:
        target, source = arrays["target"], arrays["source"]
    before = peak_memory()
    _limit(threads[0])
    chosen = None
    if options is not None:
        from zeroco_ros.estimate.network import NetworkOptions

        chosen = NetworkOptions(**{**options, "threads": threads[0]})
    method = make_method(name, chosen, head)
    loaded = peak_memory()
    seconds = {}
    for count in threads:
        _limit(count)
        method.estimate(target, source)
        taken = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            method.estimate(target, source)
            taken.append(time.perf_counter() - started)
        seconds[count] = float(np.median(taken))
    after = peak_memory()
    height, width = target.shape[:2]
    if before is None or loaded is None or after is None:
        return Cost(name, (height, width), seconds, None, None)
    return Cost(name, (height, width), seconds, after - before, loaded - before)


def _limit(threads: int) -> None:
    cv2.setNumThreads(threads)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)


def peak_memory() -> float | None:
    """
    Largest resident memory of this process so far in MB, None where Linux does not tell.

    Not getrusage: its maximum survives exec, so that a child would report its parent's.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return None


if __name__ == "__main__":
    print(json.dumps(asdict(_measure(**json.loads(sys.argv[1])))))
