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

"""A training run as data: everything that decides the result, read from one YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints, TypeVar

import yaml

from zeroco_ros.croco.config import CrocoConfig
from zeroco_ros.errors import ConfigError
from zeroco_ros.training.pairs import WorldPlan

Plan = TypeVar("Plan")
DEFAULT_RECIPE = Path(__file__).parent / "configs" / "backbone.yaml"
OCCLUDED = ("uniform", "cell", "ignored")


@dataclass(frozen=True)
class DataPlan:
    """
    How pairs are made and reused.

    size: rendered rows and columns, multiples of 16; crops: sizes that batches are cut to, one per
    batch, each view at its own offset; shard: pairs per shard; window: shards kept; reuse: mean
    number of times that a pair is used; textures: per shard; photo_share: of the textures; fixed:
    number of shards of a fixed set of pairs (window and reuse then mean nothing), 0: a moving one.
    """

    size: tuple[int, int] = (256, 320)
    crops: tuple[tuple[int, int], ...] = ((224, 224), (192, 256), (256, 192), (240, 320))
    shard: int = 256
    window: int = 48
    reuse: float = 5.0
    textures: int = 64
    photo_share: float = 0.5
    fixed: int = 0
    world: WorldPlan = field(default_factory=WorldPlan)


@dataclass(frozen=True)
class ObjectivePlan:
    """
    Weights of the terms, and what is asked of cells without a match.

    matching: cross-entropy of the cost volume's rows and columns, in nats. regression: end-point
    error of its soft-argmax, in pixels. completion: squared error of rebuilt patches (CroCo's
    pretext), of which the share `hidden` is masked. occluded: cells without a match shall be
    "uniform", choose an explicit no-match "cell" (a learned logit, not used at inference), or are
    "ignored"; how much that counts beside `matching` is the recipe's `occluded`.
    """

    matching: float = 1.0
    regression: float = 0.0
    completion: float = 0.0
    occluded: str = "uniform"
    hidden: float = 0.9

    def check(self) -> None:
        """Refuse values without a meaning (ConfigError)."""
        weights = (self.matching, self.regression, self.completion)
        if min(weights) < 0 or max(weights) <= 0:
            raise ConfigError(f"objective weights {weights}: none below 0, at least one above 0")
        if self.occluded not in OCCLUDED:
            raise ConfigError(
                f"objective.occluded {self.occluded!r}: one of {', '.join(OCCLUDED)}"
            )
        if not 0 < self.hidden < 1:
            raise ConfigError(f"objective.hidden {self.hidden}: a share between 0 and 1 is needed")


@dataclass(frozen=True)
class OptimizerPlan:
    """AdamW with a linear warm-up and a cosine to `final` times the rate."""

    batch: int = 12
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.97)
    weight_decay: float = 0.03
    clip: float = 1.0
    warmup: int = 150
    final: float = 0.02
    ema: float = 0.999


@dataclass(frozen=True)
class Recipe:
    """
    One run: network, data, objective, optimizer.

    occluded: weight of the matching term for cells without a match, beside that for the others;
    held_out: rows and columns of the held-out pictures.
    """

    model: CrocoConfig
    data: DataPlan = field(default_factory=DataPlan)
    objective: ObjectivePlan = field(default_factory=ObjectivePlan)
    optimizer: OptimizerPlan = field(default_factory=OptimizerPlan)
    steps: int = 12000
    seed: int = 0
    occluded: float = 0.03
    log_every: int = 50
    save_every: int = 250
    evaluate_every: int = 1500
    held_out: tuple[int, int] = (224, 224)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, the inverse of `recipe_from`."""
        return {**asdict(self), "model": self.model.to_dict()}


def load_recipe(path: str | Path) -> Recipe:
    """
    Read a YAML recipe, a file or the name of a shipped one ("tiny").

    Raises ConfigError naming what is unknown or missing.
    """
    shipped = DEFAULT_RECIPE.parent / f"{path}.yaml"
    if not Path(path).exists() and shipped.parent == DEFAULT_RECIPE.parent and shipped.is_file():
        path = shipped
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"recipe {path} cannot be read ({reason}): give a YAML file") from None
    return recipe_from(values)


def recipe_from(values: Any) -> Recipe:
    """Return a `Recipe` from plain values; unknown keys are refused with a ConfigError."""
    if not isinstance(values, Mapping) or "model" not in values:
        raise ConfigError("a recipe is a mapping with at least `model`: see configs/backbone.yaml")
    rest = {key: value for key, value in values.items() if key != "model"}
    rest["model"] = CrocoConfig.from_dict(values["model"])
    recipe = build(Recipe, rest)
    recipe.objective.check()
    if recipe.objective.completion > 0 and not recipe.model.prediction_head:
        raise ConfigError("objective.completion needs model.prediction_head: true")
    sizes = (recipe.data.size, *recipe.data.crops, recipe.held_out)
    if any(side % 16 or side < 32 for size in sizes for side in size):
        raise ConfigError(f"sizes {sizes}: every side must be a multiple of 16, at least 32")
    if any(a > b for crop in recipe.data.crops for a, b in zip(crop, sizes[0], strict=True)):
        raise ConfigError(
            f"crops {recipe.data.crops}: none may exceed the rendered size {sizes[0]}"
        )
    return recipe


def build(kind: type[Plan], values: Mapping[str, Any]) -> Plan:
    """Return a dataclass from a mapping, nested ones and tuples included."""
    assert is_dataclass(kind)
    hints = get_type_hints(kind)
    unknown = sorted(set(values) - {f.name for f in fields(kind)})
    if unknown:
        known = ", ".join(f.name for f in fields(kind))
        raise ConfigError(f"unknown recipe key {', '.join(unknown)}; known: {known}")
    ready = {name: convert(hints[name], value) for name, value in values.items()}
    return kind(**ready)


def convert(hint: Any, value: Any) -> Any:
    """Return a YAML value as the field's type: mappings to dataclasses, lists to tuples."""
    if is_dataclass(hint) and isinstance(value, Mapping):
        return build(hint, value)  # type: ignore[arg-type]
    if isinstance(value, list | tuple):
        return tuple(convert(None, item) for item in value)
    return value
