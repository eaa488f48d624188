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
Peak memory of matching a pair, measured in processes of their own.

Run as `python -m zeroco_ros.bench.memory TASK`, it measures one implementation and prints JSON.
Linux only: the peak of the resident memory is reset before the pair is matched, so that weights
and libraries do not count.
"""

from __future__ import annotations

from collections.abc import Callable
import ctypes
import json
from pathlib import Path
import subprocess
import sys
from typing import Any, TYPE_CHECKING

from zeroco_ros.bench.plan import Plan
from zeroco_ros.bench.record import Cell, Column, Section
from zeroco_ros.evaluation.cost import peak_memory

if TYPE_CHECKING:
    from zeroco_ros.croco.config import CrocoConfig

LEAST = 20.0  # times less than the plain implementation
COLUMNS = (
    Column("name", "implementation"),
    Column("size", "input"),
    Column("attention", "attention, MB"),
    Column("less", "times less"),
    Column("match", "matching, MB"),
    Column("match_less", "times less"),
    Column("step", "whole pair, MB"),
)


def memory_section(plan: Plan) -> Section:
    """Peak memory at 512x512 (and 224x224), plain and ours."""
    sizes = [(96, 96)] if plan.quick else [(224, 224), (512, 512)]
    rows: list[dict[str, Cell]] = []
    failed = []
    for size in sizes:
        found = {}
        for name in ("plain", "fp32") if plan.quick else ("plain", "fp32", "bf16", "int8"):
            plan.say(f"memory: {name} at {size[1]}x{size[0]}")
            found[name] = _in_process(plan.network, name, size, plan.threads)
        for name, value in found.items():
            if "skipped" in value:
                continue
            less, match_less = (
                found["plain"][key] / max(value[key], 0.1) for key in ("attention", "match")
            )
            title = "plain, two passes" if name == "plain" else f"stream, {name}"
            shape = f"{size[1]}x{size[0]}"
            rows.append(
                {"name": title, "size": shape, **value, "less": less, "match_less": match_less}
            )
            if name == "bf16" and size == (512, 512) and less < LEAST:
                failed.append(f"attention in {LEAST:g} times less memory ({less:.1f})")
    note = (
        "Growth of the peak resident memory over what was resident before. Attention: the cross-"
        "attention of all layers and both directions from given queries, keys and values to its "
        "outputs and the cost volumes. Matching: the whole decoder from two encoded frames. Whole "
        "pair: with the encoder."
    )
    title = f"Peak memory, {plan.network}, processes of their own"
    return Section("memory", title, COLUMNS, tuple(rows), (note,), tuple(failed))


def _in_process(network: str, name: str, size: tuple[int, int], threads: int) -> dict[str, Any]:
    task = json.dumps({"network": network, "name": name, "size": size, "threads": threads})
    done = subprocess.run(
        [sys.executable, "-m", "zeroco_ros.bench.memory", task],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        words = done.stderr.strip().splitlines() or ["no message"]
        raise RuntimeError(f"measuring the memory of {name} failed: {words[-1]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(network: str, name: str, size: tuple[int, int], threads: int) -> dict[str, Any]:
    """Megabytes (1e6 bytes) in this process; {"skipped": ...} for a precision it lacks."""
    import torch

    from zeroco_ros.bench.step import cpu_precisions
    from zeroco_ros.bench.subjects import moving_frames, open_subject
    from zeroco_ros.estimate.frames import normalize

    torch.set_num_threads(threads)
    if name != "plain" and name not in cpu_precisions():
        return {"skipped": f"this CPU has no {name}"}
    subject = open_subject(network)
    images = [normalize(frame) for frame in moving_frames(size, 2)]
    attention = _growth(_attention(subject.model.config, name, size))
    match, step = _runs(subject, name, images)
    first = _growth(match)
    return {"attention": attention, "match": first, "step": _growth(step)}


def _attention(config: CrocoConfig, name: str, size: tuple[int, int]) -> Callable[[], object]:
    """Return the cross-attention of all layers and both directions, and the volumes."""
    import torch

    from zeroco_ros.bench import plain
    from zeroco_ros.croco.layers import attend
    from zeroco_ros.matching.cost_volume import VolumeSum

    tokens, heads = (size[0] // 16) * (size[1] // 16), config.dec_num_heads
    dtype = torch.float32 if name in ("plain", "fp32") else torch.bfloat16
    shape = 3, 1, tokens, heads, config.dec_embed_dim // heads
    with torch.inference_mode():
        q, k, v = torch.randn(shape).to(dtype)

    @torch.inference_mode()
    def ours() -> object:
        sums = [VolumeSum(register_fix=True) for _ in range(2)]
        for total in sums:
            for _ in range(config.dec_depth):
                total.add(q.flatten(2), k.flatten(2))
                attend(q, k, v, rough=True)
        return [total.mean() for total in sums]

    @torch.inference_mode()
    def theirs() -> object:
        maps = [[plain.attended(q, k, v)[1] for _ in range(config.dec_depth)] for _ in range(2)]
        return [plain.mean_map(layers, register_fix=True) for layers in maps]

    return theirs if name == "plain" else ours


def _runs(subject: Any, name: str, images: list[Any]) -> tuple[Any, Any]:
    """Return the matching of two encoded frames, and the whole pair."""
    from zeroco_ros.bench.plain import PlainTwoPass
    from zeroco_ros.croco.descriptors import Encoding
    from zeroco_ros.engine.torch_backend import TorchBackend

    fix = subject.register_fix
    if name == "plain":
        plain = PlainTwoPass(subject.model, register_fix=fix, beta=subject.beta)
        first, second = images
        plain.volume(first[:, :, :32, :32], second[:, :, :32, :32])  # allocates what stays
        grid = subject.model.grid_of(first)
        one, other = plain.encode(first, grid), plain.encode(second, grid)
        return lambda: plain.combined(one, other, grid), lambda: plain.volume(first, second)
    backend = TorchBackend(subject.model, "cpu", name)

    def match(pair: list[Encoding]) -> object:
        first, second = pair
        return backend.volumes(first, second, (first.grid, second.grid), register_fix=fix)

    match([backend.encode(image[:, :, :32, :32]) for image in images])  # allocates what stays
    frames = [backend.encode(image) for image in images]
    return lambda: match(frames), lambda: match([backend.encode(image) for image in images])


def _growth(run: Any) -> float:
    """Growth of the peak over what is resident now, in MB."""
    import gc

    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = peak_memory()
    run()
    after = peak_memory()
    if before is None or after is None:
        raise RuntimeError("this system does not tell its peak memory")
    return after - before


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    print(json.dumps(measure(**{**given, "size": tuple(given["size"])})))
