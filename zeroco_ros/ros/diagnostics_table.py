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

"""Every key of /diagnostics in the order in which it is published, with its meaning. No rclpy."""

from __future__ import annotations

from collections.abc import Mapping

FIRST: Mapping[str, str] = {
    "state": "lifecycle state: unconfigured, inactive, active or finalized",
    "input topics": "topics that are read, as resolved and remapped; empty while unconfigured",
    "subscribed outputs": "outputs that somebody listens to; without one nothing is computed",
    "input rate (Hz)": "image messages per second over the last 5 s",
    "output rate (Hz)": "results per second over the last 5 s",
    "latency median (ms)": "from the arrival of an image in the node to the publication of its "
    "result, median of the last 200; empty before the first",
    "latency 95 % (ms)": "the same, 95th percentile",
    "queue": "pairs (depth: images) that wait for the worker: 0 or 1",
    "waiting": "the same with the one that is worked on; depth: also the images that wait for a "
    "pose or a camera_info, at most 32",
}
MODEL: Mapping[str, str] = {
    "backend": "what runs the network: torch, onnx or tensorrt",
    "device": "where it runs: cpu, or the GPU; also the hardware_id",
    "precision": "number format of the network: fp32, bf16, fp16 or int8",
    "model": "file name of the weights",
    "model sha256": "hash of that file, in hex",
    "engine": "folder of the engine in use; empty with torch",
    "head": "learned head in use",
    "parity": "verdict of the parity gate on the engine, where it was asked for",
    "backend reason": "why this backend, where it was chosen automatically",
    "engine refused": "why the engine that was given is not in use",
}
DEPTH: Mapping[str, str] = {
    "camera": "calibration in use: size, model, focal lengths; empty before a camera_info",
    "depth state": "state of the newest result: starting, ok, static, rotation or lost",
    "scale": "unit of the newest result: metric or relative",
    "coverage": "share of its pixels that have a depth",
    "parallax (px)": "its median parallax against the newest key frame",
}
LAST: Mapping[str, str] = {
    "last error": "the newest error in words; stays until the next one",
}


def keys(counters: Mapping[str, str], facts: Mapping[str, str]) -> dict[str, str]:
    """Key -> meaning for a node with these counters and facts of its own (DEPTH, or none)."""
    return {**FIRST, **counters, **MODEL, **facts, **LAST}
