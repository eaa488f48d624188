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

"""The recipe of a flow head's training: head, data, optimizer, loss."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from zeroco_ros.errors import ConfigError
from zeroco_ros.heads.recurrent import RecurrentConfig
from zeroco_ros.training.flow_heads import FlowHeadConfig, head_config
from zeroco_ros.training.pairs import WorldPlan
from zeroco_ros.training.recipe import build, OptimizerPlan

DEFAULT_FLOW_RECIPE = Path(__file__).parent / "configs" / "flow.yaml"


@dataclass(frozen=True)
class View:
    """
    One way to cut a batch from rendered pairs.

    size: rows and columns of the cut; reduce: whole-number factor that the cut is then made
    smaller by (sharper pictures, larger motion per pixel); coarse: factor that the backbone's
    input is made smaller by; batch: pairs per process; share: how often it is drawn.
    """

    size: tuple[int, int]
    batch: int
    share: float
    reduce: int = 1
    coarse: int = 1


@dataclass(frozen=True)
class FlowDataPlan:
    """Rendered size and reuse as in `recipe.DataPlan`, truth at every pixel; `views` of a pair."""

    size: tuple[int, int] = (320, 416)
    views: tuple[View, ...] = (View((192, 256), 4, 1.0),)
    shard: int = 64
    window: int = 60
    reuse: float = 8.0
    textures: int = 32
    photo_share: float = 0.5
    world: WorldPlan = field(default_factory=WorldPlan)


@dataclass(frozen=True)
class FlowLossPlan:
    """
    Weights of the terms of `flow_losses.flow_loss`.

    decay: of earlier updates; hidden: of pixels without a visible match; bend: error in pixels
    above which the distance counts by its logarithm; disturb: share of batches whose coarse match
    is disturbed.
    """

    decay: float = 0.85
    window: float = 0.1
    certainty: float = 0.3
    hidden: float = 0.2
    bend: float = 8.0
    disturb: float = 0.3


@dataclass(frozen=True)
class FlowRecipe:
    """
    One run: which head on which backbone, data, optimizer, loss.

    kind: "recurrent", "aggregation" or "super_resolution"; head: that kind's sizes, of which those
    that the backbone decides are filled in from it.
    """

    kind: str = "recurrent"
    head: FlowHeadConfig = field(default_factory=RecurrentConfig)
    data: FlowDataPlan = field(default_factory=FlowDataPlan)
    optimizer: OptimizerPlan = field(default_factory=OptimizerPlan)
    loss: FlowLossPlan = field(default_factory=FlowLossPlan)
    steps: int = 12000
    seed: int = 0
    log_every: int = 50
    save_every: int = 200
    evaluate_every: int = 1000

    def to_dict(self) -> dict[str, Any]:
        """Plain values, the inverse of `flow_recipe_from`."""
        return asdict(self)


def load_flow_recipe(path: str | Path) -> FlowRecipe:
    """Read a YAML recipe; raises ConfigError naming what is unknown or unreadable."""
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"recipe {path} cannot be read ({reason}): give a YAML file") from None
    return flow_recipe_from(values)


def flow_recipe_from(values: Any) -> FlowRecipe:
    """Return a `FlowRecipe` from plain values; ConfigError for what does not fit."""
    if not isinstance(values, dict):
        raise ConfigError("a flow recipe is a mapping: see configs/flow.yaml")
    values = dict(values)
    data = dict(values.get("data", {}))
    if "views" in data:
        data["views"] = tuple(build(View, view) for view in data["views"])
        values["data"] = data
    values["head"] = head_config(values.get("kind", "recurrent"), values.get("head", {}))
    recipe = build(FlowRecipe, values)
    if not recipe.data.views:
        raise ConfigError("data.views is empty: name at least one")
    for view in recipe.data.views:
        step = 16 * view.coarse * view.reduce
        sides = zip(view.size, recipe.data.size, strict=True)
        if any(side % step or side > whole for side, whole in sides):
            raise ConfigError(
                f"view of {view.size}: sides must be multiples of {step} within {recipe.data.size}"
            )
        if view.coarse != 1 and recipe.kind != "recurrent":
            raise ConfigError(
                f"view of {view.size} with coarse {view.coarse}: a head of kind {recipe.kind} "
                "sees images as the backbone does, use 1"
            )
    return recipe
