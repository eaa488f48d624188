"""What a running model has to offer, whatever runs it."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from zeroco_ros.croco.model import Encoding, PairDescriptors
from zeroco_ros.errors import BackendError


class NonFiniteOutput(BackendError):  # noqa: N818 - it names what happened
    """The network returned NaN or Inf: this result is void, the next one may be fine."""


class Backend(Protocol):
    """A network on a device.

    name: "torch"; device: "cpu" or "cuda"; precision: "fp32", "bf16" or "fp16", resolved.
    """

    name: str
    device: str
    precision: str

    def encode(self, images: Tensor) -> Encoding:
        """Encode (B, 3, H, W) normalized float32 images, H and W multiples of 16."""
        ...

    def match(
        self, target: Encoding, source: Encoding, *, features: bool = False
    ) -> PairDescriptors:
        """Descriptors of both directions; features: also the decoder blocks' outputs."""
        ...
