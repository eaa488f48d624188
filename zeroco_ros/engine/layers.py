"""Layers whose weights are brought into the precision and the layout of a device once.

`prepared` copies a network so that every linear layer and convolution computes in that precision,
while normalization and the residual stream stay in float32, as under autocast: without casting
the weights at every call. On a CPU, oneDNN's own layout saves rearranging them at every call.
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

Module = TypeVar("Module", bound=nn.Module)

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
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
    """A copy of a network for inference; what need not change is shared with the original.

    device: "cpu" or "cuda"; precision: "fp32", "bf16" or "fp16". pack: use oneDNN's layout where
    there is one (torch.compile wants plain weights).
    """
    dtype = DTYPES[precision]
    linear = PackedLinear if device == "cpu" and pack and _packs(dtype) else CastLinear
    twin: Module = _replaced(module, linear, dtype)
    return twin.to(device).eval()


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


def _replaced(module: Any, linear: Any, dtype: torch.dtype) -> Any:
    if type(module) is nn.Linear and (linear is PackedLinear or dtype != torch.float32):
        return linear(module, dtype)
    if type(module) is nn.Conv2d and dtype != torch.float32:
        return CastConv2d(module, dtype)
    twin = copy.copy(module)
    twin._modules = {
        name: None if child is None else _replaced(child, linear, dtype)
        for name, child in module._modules.items()
    }
    twin._parameters = dict(module._parameters)
    return twin
