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

"""What a running model has to offer, whatever runs it."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from zeroco_ros.croco.descriptors import Encoding
from zeroco_ros.croco.positions import Grid
from zeroco_ros.engine.bundle import Readout
from zeroco_ros.engine.pair import Pair
from zeroco_ros.engine.readout import PairRead
from zeroco_ros.errors import BackendError


class NonFiniteOutput(BackendError):  # noqa: N818 - it names what happened
    """The network returned NaN or Inf: this result is void, the next one may be fine."""


class Backend(Protocol):
    """
    A network on a device.

    name: "torch", "onnx" or "tensorrt"; device: "cpu" or "cuda"; precision: "fp32", "bf16" or
    "fp16", resolved.
    """

    name: str
    device: str
    precision: str

    def encode(self, images: Tensor) -> Encoding:
        """Encode (B, 3, H, W) normalized float32 images, H and W multiples of 16."""
        ...

    def match(
        self,
        target: Encoding,
        source: Encoding,
        *,
        features: bool = False,
        valid: tuple[Grid, Grid] | None = None,
    ) -> Pair:
        """
        Match both directions, for the functions of `engine.pair`.

        features: also the decoder blocks' outputs; valid: as for `volumes`, default: every token.
        """
        ...

    def read(
        self, target: Encoding, source: Encoding, valid: tuple[Grid, Grid], how: Readout
    ) -> PairRead | None:
        """
        Match and read out both directions on the device.

        None where the backend has no such read-out: then `volumes` serve.
        """
        ...

    def volumes(
        self,
        target: Encoding,
        source: Encoding,
        valid: tuple[Grid, Grid],
        *,
        register_fix: bool,
    ) -> tuple[Tensor, Tensor]:
        """
        Return the cost volumes of both directions, float32.

        (B, Nt, Ns) from target to source, and (B, Ns, Nt) from source to target.

        Means over heads and layers of the logits, without reciprocity, of the tokens that are not
        padding: valid holds their rows and columns in the target and in the source.
        """
        ...
