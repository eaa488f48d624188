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
Half precision written into a network, so that an exported graph is typed.

Strongly typed TensorRT networks, and every version from 11 on, take the precision of each layer
from the ONNX graph. Linear and convolution layers, and with them the attention's products, get
half weights; normalization, softmax, the residual stream, the cost volume and its read-out stay
float32, where half precision overflows or rounds positions.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn, Tensor

from zeroco_ros.errors import ConfigError

PRECISIONS = ("fp32", "fp16")
NO_BF16 = (
    "precision 'bf16' of an engine: ONNX Runtime's CPU provider computes no bfloat16, so what is "
    "exported could not be checked; use 'fp16' or 'fp32' (the torch backend has bf16)"
)


def check_precision(precision: str) -> None:
    """Raise ConfigError for another precision of an engine than those of `PRECISIONS`."""
    if precision == "bf16":
        raise ConfigError(NO_BF16)
    if precision not in PRECISIONS:
        raise ConfigError(f"precision {precision!r} of an engine: one of {', '.join(PRECISIONS)}")


def typed(module: nn.Module, precision: str) -> nn.Module:
    """
    Return the module in evaluation mode, for "fp16" a copy with half-precision layers.

    Raises ConfigError for another precision than those of `PRECISIONS`.
    """
    check_precision(precision)
    if precision == "fp32":
        return module.eval()
    copied = copy.deepcopy(module).eval()
    for part in copied.modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            part.to(torch.float16)
            part.register_forward_pre_hook(_half)
        elif isinstance(part, nn.LayerNorm | nn.GroupNorm):
            part.register_forward_pre_hook(_float)
    return copied


def _half(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(value.half() if isinstance(value, Tensor) else value for value in inputs)


def _float(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(value.float() if isinstance(value, Tensor) else value for value in inputs)
