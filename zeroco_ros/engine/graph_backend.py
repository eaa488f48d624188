"""A backend made of graphs: what ONNX Runtime and TensorRT share, which is all but running one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from zeroco_ros.croco.descriptors import Encoding, PairDescriptors
from zeroco_ros.croco.positions import Grid
from zeroco_ros.engine.bundle import Manifest
from zeroco_ros.engine.graphs import flat_levels, nested_levels
from zeroco_ros.errors import ConfigError
from zeroco_ros.heads.features import Level
from zeroco_ros.heads.recurrent import HeadFlow

PATCH = 16
BACKBONE = ("encoder", "matcher")
HEAD = ("head_features", "head")


class GraphRunner(Protocol):
    """One graph of a bundle on a device."""

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        """Inputs and outputs float32, in the order of `Manifest.graphs` of that graph.

        Inputs may lie on any device; outputs are the caller's: no later call writes into them.
        Raises BackendError where the graph cannot be run.
        """
        ...


class GraphBackend:
    """The backbone of a bundle; see `engine.backend.Backend`.

    manifest: of the bundle; runners: by graph name, those of `manifest.graphs`; name: "onnx" or
    "tensorrt"; device: "cpu" or "cuda". The resolution is fixed: manifest.model_size.
    """

    def __init__(
        self, manifest: Manifest, runners: Mapping[str, GraphRunner], *, name: str, device: str
    ) -> None:
        self.manifest = manifest
        self.name, self.device, self.precision = name, device, manifest.precision
        self.runners = runners

    def encode(self, images: Tensor) -> Encoding:
        """Encode (B, 3, H, W) images of the engine's resolution, one by one.

        Raises ConfigError for another resolution.
        """
        size = self.manifest.model_size
        if tuple(images.shape[2:]) != size:
            raise ConfigError(
                f"an input of {tuple(images.shape[2:])} for an engine of {size} (height, width): "
                "export one for this size"
            )
        tokens = torch.cat([self.runners["encoder"](image[None])[0] for image in images])
        return Encoding(tokens, (size[0] // PATCH, size[1] // PATCH))

    def match(
        self, target: Encoding, source: Encoding, *, features: bool = False
    ) -> PairDescriptors:
        """Not offered: an engine returns cost volumes. Raises ConfigError."""
        raise ConfigError(
            "an exported engine has no descriptors or features: use the torch backend with this "
            "correlation or head"
        )

    def volumes(
        self,
        target: Encoding,
        source: Encoding,
        valid: tuple[Grid, Grid],
        *,
        register_fix: bool,
    ) -> tuple[Tensor, Tensor]:
        """See `Backend.volumes`. The register fix is baked in; ConfigError for the other one."""
        if register_fix != self.manifest.register_fix:
            raise ConfigError(
                f"register_fix {register_fix} with an engine exported with "
                f"{self.manifest.register_fix}: export it again"
            )
        found = [
            self.runners["matcher"](target.tokens[i : i + 1], source.tokens[i : i + 1])
            for i in range(len(target.tokens))
        ]
        ahead, back = (torch.cat([pair[side] for pair in found]) for side in (0, 1))
        rows = token_index(target.grid, valid[0]).to(ahead.device)
        columns = token_index(source.grid, valid[1]).to(ahead.device)
        return ahead[:, rows][:, :, columns], back[:, columns][:, :, rows]


class GraphHead:
    """The flow head of a bundle; see `engine.head_backend.HeadRunner`.

    runners: by graph name, at least those of `HEAD`.
    """

    def __init__(self, runners: Mapping[str, GraphRunner]) -> None:
        self._features, self._head = (runners[name] for name in HEAD)

    def encode(self, images: Tensor) -> tuple[Level, Level]:
        """Features of (B, 3, h, w) normalized images of the engine's head size."""
        each = [self._features(image[None]) for image in images]
        return nested_levels(tuple(torch.cat(parts) for parts in zip(*each, strict=True)))

    def flow(
        self,
        target: tuple[Level, Level],
        source: tuple[Level, Level],
        coarse: Tensor,
        mass: Tensor,
    ) -> HeadFlow:
        """Dense flow from a coarse match, see `RecurrentHead.forward`."""
        everything = (*flat_levels(target), *flat_levels(source), coarse, mass)
        each = [self._head(*(part[i : i + 1] for part in everything)) for i in range(len(coarse))]
        flow, certainty = (torch.cat(parts) for parts in zip(*each, strict=True))
        return HeadFlow(flow, certainty, ())


def token_index(grid: Grid, valid: Grid) -> Tensor:
    """Indices of the top-left `valid` tokens of a row-major grid."""
    return torch.arange(grid[0] * grid[1]).view(grid)[: valid[0], : valid[1]].reshape(-1)
