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

"""Parameters that more than one node has: the process, the network, the camera. No rclpy here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zeroco_ros.ros.parameter_spec import choice, number, ParameterSpec

PROCESS: tuple[ParameterSpec, ...] = (
    ParameterSpec(
        "autostart",
        True,
        "Configure and activate by itself; false waits for the lifecycle services.",
        "start",
    ),
    number(
        "diagnostics_period", 1.0, 0.05, 60.0, "Seconds between messages on /diagnostics.", "start"
    ),
    number(
        "input_timeout",
        5.0,
        0.1,
        3600.0,
        "Seconds without an image, while one is wanted, until diagnostics warn.",
        "live",
    ),
)

NETWORK: tuple[ParameterSpec, ...] = (
    ParameterSpec(
        "weights",
        "default",
        "Name of shipped weights or path of a model file.",
        "configure",
        pattern=r"\S(.*\S)?",
        pattern_text="a name of shipped weights or a path",
    ),
    choice(
        "backend",
        ("auto", "torch", "onnx", "tensorrt"),
        "What runs the network: PyTorch, or an engine in ONNX Runtime or TensorRT; auto takes the "
        "best that is there and says which and why.",
        "configure",
    ),
    ParameterSpec(
        "engine",
        "none",
        "Folder of an engine, made by `zeroco export` from these weights.",
        "configure",
        pattern=r"\S(.*\S)?",
        pattern_text="none or the path of an engine",
    ),
    choice(
        "device",
        ("auto", "cpu", "cuda"),
        "Where the network runs; auto takes the GPU when there is one.",
        "configure",
    ),
    choice(
        "precision",
        ("auto", "fp32", "bf16", "fp16", "int8"),
        "Number format of the network; auto takes what is fast on the device.",
        "configure",
    ),
    number(
        "threads",
        0,
        0,
        256,
        "CPU threads of the network; 0 leaves it to the library.",
        "configure",
    ),
    choice(
        "acceleration",
        ("none", "compile", "cuda_graph"),
        "Of PyTorch: torch.compile or CUDA graphs; the first image of each size then takes "
        "seconds to minutes.",
        "configure",
    ),
    choice(
        "provider",
        ("auto", "cpu", "cuda", "tensorrt"),
        "Execution provider of ONNX Runtime; auto takes CUDA where there is a GPU.",
        "configure",
    ),
    ParameterSpec(
        "build_engine",
        False,
        "Build the engine for TensorRT on this GPU when configuring, where that is not done yet: "
        "minutes, once.",
        "configure",
    ),
    ParameterSpec(
        "check_engine",
        True,
        "Compare the engine with PyTorch when configuring; one that is wrong is refused.",
        "configure",
    ),
    ParameterSpec(
        "engine_fallback",
        False,
        "Let PyTorch serve, with diagnostics at ERROR, where the engine is refused; false: "
        "configuring fails.",
        "configure",
    ),
    number(
        "max_non_finite",
        5,
        1,
        1000,
        "Results in a row that are not finite until on_non_finite acts.",
        "live",
    ),
    choice(
        "on_non_finite",
        ("fallback", "deactivate"),
        "fallback: PyTorch in fp32 serves from then on, and if that fails too, or served already, "
        "the node deactivates; deactivate: it does so at once.",
        "live",
    ),
)

TRANSPORT: tuple[ParameterSpec, ...] = (
    choice(
        "image_transport",
        ("raw", "compressed"),
        "raw reads <topic>, compressed reads <topic>/compressed.",
        "configure",
    ),
)

IMAGES: tuple[ParameterSpec, ...] = (
    number(
        "max_pixels",
        40_000_000,
        4096,
        1_000_000_000,
        "Images with more pixels are refused; smaller ones are reduced as far as needed.",
        "live",
    ),
    number(
        "significant_bits",
        16,
        8,
        16,
        "Bits that a 16-bit camera fills; the value is shifted down to 8 bits.",
        "live",
    ),
)


def times_in_order(values: Mapping[str, Any]) -> str | None:
    """Return the rule of nodes with min_dt and max_dt."""
    low, high = values["min_dt"], values["max_dt"]
    if low > high:
        return f"parameters min_dt and max_dt: {low} s > {high} s; allowed is min_dt <= max_dt"
    return None
