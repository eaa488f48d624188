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
Terms of the training objectives, each as a sum over cells and the number of these cells.

Sums, not means: the processes of a run see different numbers of visible cells, and only sums and
counts of all processes together give the loss that one process would compute.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from zeroco_ros.croco.descriptors import MatchDescriptors


class Term(NamedTuple):
    """A loss summed over the cells that it concerns, and their number; both are scalars."""

    sum: Tensor
    cells: Tensor


def cost_volume(descriptors: MatchDescriptors) -> Tensor:
    """Mean over layers and heads of the cross-attention logits, (B, Nt, Ns), in one product."""
    layers = descriptors.queries.shape[0]
    queries = descriptors.queries.float().permute(1, 2, 0, 3).flatten(2)
    keys = descriptors.keys.float().permute(1, 2, 0, 3).flatten(2)
    return queries @ keys.transpose(1, 2) / layers


def cell_indices(rows: int, columns: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Row and column (rows, columns) int64 of every cell of a grid."""
    y, x = (torch.arange(side, device=device) for side in (rows, columns))
    return tuple(torch.meshgrid(y, x, indexing="ij"))  # type: ignore[return-value]


def bilinear_targets(flow: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """
    Return the four cells around each match: indices (B, N, 4) int64 and weights (B, N, 4).

    flow: (B, h, w, 2) pixels at the cells' centers. Matches beyond the centers of the border cells
    count for the border cells; weights sum to one.
    """
    _, rows, columns, _ = flow.shape
    y, x = cell_indices(rows, columns, flow.device)
    column = (x + flow[..., 0] / stride).clamp(0, columns - 1)
    row = (y + flow[..., 1] / stride).clamp(0, rows - 1)
    x0, y0 = column.floor().clamp(max=columns - 2), row.floor().clamp(max=rows - 2)
    fx, fy = column - x0, row - y0
    first = (y0 * columns + x0).long()
    indices = torch.stack([first, first + 1, first + columns, first + columns + 1], -1)
    weights = torch.stack([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy], -1)
    return indices.flatten(1, 2), weights.flatten(1, 2)


def summed(values: Tensor, where: Tensor) -> Term:
    """Return sum of the values (B, N) of the cells `where` (B, N) bool, and the cells' number."""
    weight = where.to(values.dtype)
    return Term((values * weight).sum(), weight.sum())


def matching_terms(
    logits: Tensor,
    flow: Tensor,
    visible: Tensor,
    stride: int,
    no_match: Tensor | None = None,
) -> tuple[Term, Term]:
    """
    Cross-entropy in nats of the rows of `logits` (B, N, M): visible cells, and the others.

    flow: (B, h, w, 2) pixels; visible: (B, h, w) bool. Visible cells are compared with the
    bilinear distribution of their matches. The others with the uniform one, less log M, so that
    zero is the best; or, where the logit `no_match` (a scalar) of one more cell is given, with
    that cell, as SuperGlue does (Sarlin et al., CVPR 2020).
    """
    if no_match is None:
        log_probability = logits.log_softmax(2)
        cells = torch.tensor(float(logits.shape[2]), device=logits.device)
        unmatched = -log_probability.mean(2) - cells.log()
    else:
        column = no_match.to(logits.dtype).expand(*logits.shape[:2], 1)
        log_probability = torch.cat([logits, column], 2).log_softmax(2)
        unmatched = -log_probability[..., -1]
    indices, weights = bilinear_targets(flow, stride)
    matched = -(log_probability.gather(2, indices) * weights).sum(2)
    seen = visible.flatten(1)
    return summed(matched, seen), summed(unmatched, ~seen)


def expected_flow(logits: Tensor, grid: tuple[int, int], stride: int) -> Tensor:
    """
    Flow (B, h, w, 2) in pixels by the soft-argmax of each row of `logits` (B, N, M).

    Target and source have the same grid (h, w), N = M = h * w.
    """
    y, x = cell_indices(*grid, logits.device)
    cells = stride * torch.stack([x, y], -1).view(-1, 2).to(logits.dtype)
    return (logits.softmax(2) @ cells - cells).view(len(logits), *grid, 2)


def regression_term(logits: Tensor, flow: Tensor, visible: Tensor, stride: int) -> Term:
    """Robust end-point error in pixels of the soft-argmax, sqrt(e^2 + 0.1^2), on visible cells."""
    rows, columns = flow.shape[1:3]
    error = expected_flow(logits, (rows, columns), stride) - flow
    # Unseen cells may hold anything, even what overflows when squared.
    error = torch.where(visible.unsqueeze(3), error, torch.zeros_like(error))
    length = (error.square().sum(3) + 0.01).sqrt()
    return summed(length.flatten(1), visible.flatten(1))
