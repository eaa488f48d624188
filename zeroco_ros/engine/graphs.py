"""The parts of an engine as modules of tensors in, tensors out: what is exported and compiled.

Each runs one frame or one pair at a fixed resolution. Whatever a half-precision engine computes
inside, inputs and outputs are float32 and the cost volume is a float32 product.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zeroco_ros.croco.descriptors import Encoding
from zeroco_ros.croco.model import CroCo
from zeroco_ros.croco.positions import Grid
from zeroco_ros.engine.bundle import Signature
from zeroco_ros.heads.features import Level
from zeroco_ros.heads.recurrent import RecurrentHead
from zeroco_ros.matching.cost_volume import attention_volume

Size = tuple[int, int]


LEVELS = ("match4", "context4", "match8", "context8")
SIGNATURES = {
    "encoder": Signature(("images",), ("tokens",)),
    "matcher": Signature(("target", "source"), ("ahead", "back")),
    "head_features": Signature(("images",), LEVELS),
    "head": Signature(
        (*(f"target_{n}" for n in LEVELS), *(f"source_{n}" for n in LEVELS), "coarse", "mass"),
        ("flow", "certainty"),
    ),
}


class EncoderGraph(nn.Module):
    """images (1, 3, H, W) normalized -> tokens (1, N, C)."""

    def __init__(self, model: CroCo) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        return self.model.encode(images).tokens


class MatcherGraph(nn.Module):
    """Tokens of two frames -> cost volumes ahead (1, N, N) and back, without reciprocity.

    ahead[0, t, s]: mean over heads and layers of the logits of target token t and source token s;
    back the same with the images swapped. register_fix: see `attention_volume`.
    """

    def __init__(self, model: CroCo, grid: Grid, register_fix: bool) -> None:
        super().__init__()
        self.model, self.grid, self.register_fix = model, grid, register_fix

    def forward(self, target: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        pair = self.model.decode_pair(Encoding(target, self.grid), Encoding(source, self.grid))
        ahead, back = (
            attention_volume(side.queries, side.keys, register_fix=self.register_fix)
            for side in (pair.forward, pair.backward)
        )
        return ahead, back


class HeadFeaturesGraph(nn.Module):
    """images (1, 3, h, w) normalized -> features at 1/4 and 1/8, see `RecurrentHead.encode`."""

    def __init__(self, head: RecurrentHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """See the class; ordered as `LEVELS`."""
        return tuple(part.float() for part in flat_levels(self.head.encode(images)))


class HeadGraph(nn.Module):
    """Features of both frames, coarse flow and its mass -> flow (1, h, w, 2) and certainty."""

    def __init__(self, head: RecurrentHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs in the order of `SIGNATURES`."""
        target, source = nested_levels(inputs[:4]), nested_levels(inputs[4:8])
        found = self.head(target, source, inputs[8], inputs[9])
        return found.flow, found.certainty


def flat_levels(levels: tuple[Level, Level]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Both levels' tensors in the order of `LEVELS`."""
    fine, rough = levels
    return fine.match, fine.context, rough.match, rough.context


def nested_levels(parts: tuple[Tensor, ...]) -> tuple[Level, Level]:
    """The inverse of `flat_levels`."""
    return Level(parts[0], parts[1]), Level(parts[2], parts[3])


@dataclass(frozen=True)
class Graph:
    """A module with example inputs and the names of both ends."""

    module: nn.Module
    example: tuple[Tensor, ...]
    signature: Signature


def backbone_graphs(model: CroCo, size: Size, register_fix: bool) -> dict[str, Graph]:
    """Encoder and matcher at the network's input size (H, W)."""
    images, others = _noise(1, size), _noise(2, size)
    with torch.inference_mode(False), torch.no_grad():
        # Two tensors: given one of them twice, the exporter would make one input of both.
        grid, tokens = model.grid_of(images), model.encode(images).tokens
        other_tokens = model.encode(others).tokens
    return {
        "encoder": Graph(EncoderGraph(model), (images,), SIGNATURES["encoder"]),
        "matcher": Graph(
            MatcherGraph(model, grid, register_fix), (tokens, other_tokens), SIGNATURES["matcher"]
        ),
    }


def head_graphs(head: RecurrentHead, size: Size) -> dict[str, Graph]:
    """The head's two parts at its input size (h, w), multiples of 8."""
    images = _noise(1, size)
    cells = size[0] // 8, size[1] // 8
    with torch.inference_mode(False), torch.no_grad():
        levels = flat_levels(head.encode(images))
        others = flat_levels(head.encode(_noise(2, size)))
    coarse = 8 * _noise(3, cells)[:, :2]
    mass = _noise(4, cells)[:, :1].sigmoid()
    return {
        "head_features": Graph(HeadFeaturesGraph(head), (images,), SIGNATURES["head_features"]),
        "head": Graph(HeadGraph(head), (*levels, *others, coarse, mass), SIGNATURES["head"]),
    }


def _noise(seed: int, size: Size) -> Tensor:
    """(1, 3, H, W) of normal deviates."""
    return torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(seed))
