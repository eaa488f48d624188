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

"""The recipe of the depth head's training: head, data, optimizer, loss."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from zeroco_ros.errors import ConfigError
from zeroco_ros.heads.depth import DepthHeadConfig
from zeroco_ros.training.pairs import WorldPlan
from zeroco_ros.training.recipe import build, OptimizerPlan

DEFAULT_DEPTH_RECIPE = Path(__file__).parent / "configs" / "depth.yaml"


@dataclass(frozen=True)
class DepthDataPlan:
    """
    What is rendered, and how often it is used.

    sizes: rows and columns of the pictures, multiples of 16; shard k has the k-th of them, around
    and around. shard: pairs per shard; window: shards kept; reuse: mean number of times that each
    of a pair's two directions is used; textures: per shard; photo_share: of the textures; recolor:
    whether exposure and colors change between the two views; given: share of samples that know the
    true motion instead of one estimated from the flow; blind: share that know none.
    """

    sizes: tuple[tuple[int, int], ...] = ((240, 320),)
    shard: int = 24
    window: int = 60
    reuse: float = 3.0
    textures: int = 24
    photo_share: float = 0.5
    recolor: bool = True
    given: float = 0.2
    blind: float = 0.1
    world: WorldPlan = field(default_factory=lambda: WorldPlan(homographies=0.0))


@dataclass(frozen=True)
class DepthLossPlan:
    """
    Weights of the terms of `depth_losses`.

    log: scale-invariant error of the logarithm; sigma: Laplace negative log-likelihood, which
    teaches the uncertainty; gradient: of the error, at several scales; reprojection: photometric
    error of the source warped by depth and true motion; smoothness: of the depth where the image
    is smooth. The last two alone are self-supervised.
    """

    log: float = 1.0
    sigma: float = 0.3
    gradient: float = 0.5
    reprojection: float = 0.0
    smoothness: float = 0.0


@dataclass(frozen=True)
class DepthRecipe:
    """
    One run: sizes of the head, data, optimizer, loss.

    Sizes that the backbone decides are filled in.
    """

    head: DepthHeadConfig = field(default_factory=DepthHeadConfig)
    data: DepthDataPlan = field(default_factory=DepthDataPlan)
    optimizer: OptimizerPlan = field(default_factory=OptimizerPlan)
    loss: DepthLossPlan = field(default_factory=DepthLossPlan)
    steps: int = 8000
    seed: int = 0
    log_every: int = 50
    save_every: int = 200
    evaluate_every: int = 1000

    def to_dict(self) -> dict[str, Any]:
        """Plain values, the inverse of `depth_recipe_from`."""
        return {**asdict(self), "head": self.head.to_dict()}


def load_depth_recipe(path: str | Path) -> DepthRecipe:
    """
    Read a YAML recipe, a file or the name of a shipped one ("depth_tiny").

    Raises ConfigError naming what is unknown or unreadable.
    """
    shipped = DEFAULT_DEPTH_RECIPE.parent / f"{path}.yaml"
    if not Path(path).exists() and shipped.parent == DEFAULT_DEPTH_RECIPE.parent:
        path = shipped if shipped.is_file() else path
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"recipe {path} cannot be read ({reason}): give a YAML file") from None
    return depth_recipe_from(values)


def depth_recipe_from(values: Any) -> DepthRecipe:
    """Return a `DepthRecipe` from plain values; ConfigError for what does not fit."""
    if not isinstance(values, dict):
        raise ConfigError("a depth recipe is a mapping: see configs/depth.yaml")
    values = dict(values)
    values["head"] = DepthHeadConfig.from_dict(values.get("head", {}))
    data = dict(values.get("data", {}))
    if "sizes" in data:
        data["sizes"] = tuple(tuple(size) for size in data["sizes"])
        values["data"] = data
    recipe = build(DepthRecipe, values)
    sizes = recipe.data.sizes
    if not sizes or any(side % 16 or side < 64 for size in sizes for side in size):
        raise ConfigError(f"data.sizes {sizes}: multiples of 16, at least 64 are needed")
    if recipe.data.world.homographies:
        raise ConfigError("data.world.homographies: a plane's pictures show no depth, use 0")
    shares = recipe.data.given, recipe.data.blind
    if min(shares) < 0 or sum(shares) > 1:
        raise ConfigError(f"data.given, data.blind {shares}: shares that sum to 1 at most")
    weights = asdict(recipe.loss)
    if min(weights.values()) < 0 or recipe.loss.log + recipe.loss.reprojection <= 0:
        raise ConfigError(f"loss {weights}: none below 0, and log or reprojection above 0")
    return recipe
