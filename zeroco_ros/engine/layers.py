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
Layers whose weights are brought into the precision and the layout of a device once.

`prepared` copies a network so that every linear layer and convolution computes in that precision,
while normalization and the residual stream stay in float32, as under autocast: without casting
the weights at every call. On a CPU, oneDNN's own layout saves rearranging them too.
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple, TypeVar
import warnings

import torch
from torch import nn, Tensor
from torch.nn import functional

Module = TypeVar("Module", bound=nn.Module)

# What everything that is no int8 product computes in.
DTYPES = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "int8": torch.bfloat16,
}
_ROWS = 256  # what oneDNN chooses its layout for; another number of rows runs in it as well


class CastLinear(nn.Module):
    """A linear layer in half precision; whatever goes in is cast."""

    def __init__(self, layer: nn.Linear, dtype: torch.dtype) -> None:
        super().__init__()
        self.out_features = layer.out_features
        self.register_buffer("weight", layer.weight.detach().to(dtype))
        bias = None if layer.bias is None else layer.bias.detach().to(dtype)
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out) in the layer's precision."""
        weight: Any = self.weight
        bias: Any = self.bias
        return functional.linear(x.to(weight.dtype), weight, bias)


class PackedLinear(nn.Module):
    """A linear layer on a CPU, its weight in the layout that oneDNN prefers."""

    def __init__(self, layer: nn.Linear, dtype: torch.dtype) -> None:
        super().__init__()
        self.out_features, self.dtype = layer.out_features, dtype
        weight = layer.weight.detach().to(dtype)
        self._packed = torch.ops.mkldnn._reorder_linear_weight(weight, _ROWS)
        self._bias = None if layer.bias is None else layer.bias.detach().to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out) in the layer's precision."""
        found: Tensor = torch.ops.mkldnn._linear_pointwise(
            x.to(self.dtype), self._packed, self._bias, "none", [], ""
        )
        return found


class Int8Linear(nn.Module):
    """
    A linear layer as a product of 8-bit whole numbers on a CPU with such instructions.

    The weight has a scale per output, what goes in a scale and a zero point per call (dynamic
    quantization, Jacob et al., CVPR 2018, eq. 1-4); the sums are 32 bits wide. dtype: of what
    comes out.
    """

    def __init__(self, layer: nn.Linear, dtype: torch.dtype) -> None:
        super().__init__()
        self.out_features, self.dtype = layer.out_features, dtype
        weight = layer.weight.detach().float()
        scale = (weight.abs().amax(1) / 127).clamp(min=1e-12).double()
        zero = torch.zeros_like(scale, dtype=torch.long)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's announcement of a successor
            quantized = torch.quantize_per_channel(weight, scale, zero, 0, torch.qint8)
        bias = None if layer.bias is None else layer.bias.detach().float()
        before, torch.backends.quantized.engine = torch.backends.quantized.engine, "onednn"
        try:
            self._packed = torch.ops.quantized.linear_prepack(quantized, bias)
        finally:
            torch.backends.quantized.engine = before

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        found: Tensor = torch.ops.quantized.linear_dynamic(x.float(), self._packed, False)
        return found.to(self.dtype)


class CastConv2d(nn.Module):
    """A convolution in half precision, channels last."""

    def __init__(self, layer: nn.Conv2d, dtype: torch.dtype) -> None:
        super().__init__()
        weight = layer.weight.detach().to(dtype)
        self.register_buffer("weight", weight.contiguous(memory_format=torch.channels_last))
        bias = None if layer.bias is None else layer.bias.detach().to(dtype)
        self.register_buffer("bias", bias)
        self._how: Any = (layer.stride, layer.padding, layer.dilation, layer.groups)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) -> (B, out, h, w) in the layer's precision."""
        weight: Any = self.weight
        bias: Any = self.bias
        return functional.conv2d(x.to(weight.dtype), weight, bias, *self._how)


def prepared(module: Module, device: str, precision: str, *, pack: bool = True) -> Module:
    """
    Return a copy of a network for inference; what need not change is shared with it.

    device: "cpu" or "cuda"; precision: "fp32", "bf16", "fp16" or "int8": bf16 (fp32 where the CPU
    has none), and int8 for the MLPs of the backbone and the linear layers of its decoder other
    than those that make the match descriptors. pack: use oneDNN's layout where there is one
    (torch.compile wants plain weights).
    """
    dtype = DTYPES[precision]
    if precision == "int8" and not computes_bf16():
        dtype = torch.float32
    linear = PackedLinear if device == "cpu" and pack and _packs(dtype) else CastLinear
    twin: Module = _replaced(module, _Choice(linear, precision == "int8", dtype), "")
    return twin.to(device).eval()


class _Choice(NamedTuple):
    """Which layer takes the place of a linear one, and of which type."""

    linear: type[CastLinear | PackedLinear]
    int8: bool
    dtype: torch.dtype

    def layer(self, given: nn.Linear, name: str) -> nn.Module:
        """name: with those of the modules around it, as in a state_dict."""
        if self.int8 and _bears_int8(name):
            attended = name.endswith((".qkv", ".projv"))
            return Int8Linear(given, self.dtype if attended else torch.float32)
        if self.linear is CastLinear and self.dtype == torch.float32:
            return given
        return self.linear(given, self.dtype)


def _bears_int8(name: str) -> bool:
    """
    Whether the flow hardly shows the rounding of a layer of the backbone to 8 bits.

    Measured (`zeroco bench agreement`): with the encoder's attention too it shows twice as much.
    """
    if name.startswith(".enc_blocks"):
        return ".mlp." in name
    descriptor = ".cross_attn.projq" in name or ".cross_attn.projk" in name
    return name.startswith(".dec_blocks") and not descriptor


def computes_bf16() -> bool:
    """Whether the CPU has bf16 instructions; without them bf16 is emulated and slower."""
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, name, bool)()) for name in names)


def computes_int8() -> bool:
    """Whether the CPU has instructions for sums of int8 products, and this PyTorch uses them."""
    there = bool(getattr(torch.cpu, "_is_vnni_supported", bool)())
    operators = hasattr(torch, "quantize_per_channel") and hasattr(
        torch.ops.quantized, "linear_dynamic"
    )
    return there and operators and "onednn" in torch.backends.quantized.supported_engines


def _packs(dtype: torch.dtype) -> bool:
    """Whether this PyTorch and CPU have oneDNN's packed products in this precision."""
    operators = torch.ops.mkldnn
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    if not hasattr(operators, "_linear_pointwise"):
        return False
    if dtype == torch.bfloat16:
        return bool(operators._is_mkldnn_bf16_supported())
    return dtype == torch.float32


def _replaced(module: Any, choice: _Choice, name: str) -> Any:
    if type(module) is nn.Linear:
        return choice.layer(module, name)
    if type(module) is nn.Conv2d and choice.dtype != torch.float32:
        return CastConv2d(module, choice.dtype)
    twin = copy.copy(module)
    twin._modules = {
        key: None if child is None else _replaced(child, choice, f"{name}.{key}")
        for key, child in module._modules.items()
    }
    twin._parameters = dict(module._parameters)
    return twin
