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

"""What a run minimizes: completion, matching, regression or a mixture of them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn, Tensor

from zeroco_ros.croco.descriptors import Encoding, PairDescriptors
from zeroco_ros.croco.model import CroCo
from zeroco_ros.croco.pretraining import hide
from zeroco_ros.errors import ConfigError
from zeroco_ros.training.augment import Batch
from zeroco_ros.training.losses import (
    cost_volume,
    matching_terms,
    regression_term,
    Term,
)
from zeroco_ros.training.precision import autocast
from zeroco_ros.training.recipe import ObjectivePlan


class Objective(nn.Module):
    """
    A network with its loss: one forward pass gives all terms, so that DDP can wrap it.

    names, weights: of the columns that `forward` returns; the loss is the sum over the columns of
    weight * sum / count.
    """

    def __init__(
        self, model: CroCo, plan: ObjectivePlan, occluded: float, precision: str = "auto"
    ) -> None:
        super().__init__()
        if model.match_log_scale is None:
            raise ConfigError("model.stem must be conv: only that network learns a temperature")
        self.model, self.plan, self.precision = model, plan, precision
        own_cell = plan.matching > 0 and plan.occluded == "cell"
        self.no_match = nn.Parameter(torch.zeros(())) if own_cell else None
        columns: list[tuple[str, float]] = []
        if plan.matching > 0:
            columns += [("match", plan.matching / 4)] * 4
        if plan.matching > 0 and plan.occluded != "ignored":
            columns += [("occluded", plan.matching * occluded / 4)] * 4
        if plan.regression > 0:
            columns += [("regression", plan.regression / 4)] * 4
        if plan.completion > 0:
            columns += [("completion", plan.completion)]
        self.names, self.weights = (tuple(part) for part in zip(*columns, strict=True))

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the sums (K,) and counts (K,) of the terms' columns."""
        terms: list[Term] = []
        if self.plan.matching > 0 or self.plan.regression > 0:
            terms += self._correspondence(batch)
        if self.plan.completion > 0:
            terms.append(self._completion(batch))
        sums, counts = zip(*terms, strict=True)
        return torch.stack(sums), torch.stack(counts).detach()

    def _correspondence(self, batch: Batch) -> Iterator[Term]:
        """Terms of both directions' volumes, rows and columns, in the order of `names`."""
        pair = describe(self.model, batch, self.precision)
        assert self.model.match_log_scale is not None
        factor = self.model.match_log_scale.exp()
        there, back = (cost_volume(side) * factor for side in (pair.forward, pair.backward))
        sides = [(there, 0), (there.transpose(1, 2), 1), (back, 1), (back.transpose(1, 2), 0)]
        stride = self.model.config.patch_size
        if self.plan.matching > 0:
            both = [
                matching_terms(side, batch.flow[k], batch.visible[k], stride, self.no_match)
                for side, k in sides
            ]
            yield from (match for match, _ in both)
            if self.plan.occluded != "ignored":
                yield from (occluded for _, occluded in both)
        if self.plan.regression > 0:
            for side, k in sides:
                yield regression_term(side, batch.flow[k], batch.visible[k], stride)

    def _completion(self, batch: Batch) -> Term:
        """View 0 rebuilt from what is left of it and from view 1."""
        mask = hide(batch.chance.flatten(1), self.plan.hidden)
        with autocast(self.precision, batch.images.device):
            rebuilt = self.model.forward_pretrain(batch.images[0], batch.images[1], mask)
        patches = mask.sum().float()
        return Term(rebuilt.loss() * patches, patches)


def describe(model: CroCo, batch: Batch, precision: str = "auto") -> PairDescriptors:
    """Both directions' descriptors of a batch."""
    with autocast(precision, batch.images.device):
        both = model.encode(batch.images.flatten(0, 1))
        target, source = (Encoding(tokens, both.grid) for tokens in both.tokens.chunk(2))
        return model.decode_pair(target, source)
