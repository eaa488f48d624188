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

"""Held-out depth pairs, and the errors of a head beside simple answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from zeroco_ros.heads.depth import DepthHead, DepthMap, TRIANGULATED
from zeroco_ros.training.depth_losses import median
from zeroco_ros.training.depth_pairs import depth_batch, DepthBatch, DepthShard, make_depth_shard
from zeroco_ros.training.depth_recipe import DepthDataPlan
from zeroco_ros.training.depth_views import Observer
from zeroco_ros.training.photos import bundled_photos
from zeroco_ros.training.precision import autocast

SEED = 987_654_321  # far from any training seed
# Share of the scene's depth that the camera moves by, in the two sets.
MOTIONS = {"near": (0.005, 0.03), "far": (0.05, 0.25)}
DELTA = 1.25


def held_out_depth(
    plan: DepthDataPlan, count: int, observer: Observer, seed: int = SEED
) -> dict[str, DepthShard]:
    """
    `count` pairs each: `near`, hardly any parallax, and `far`; motion as estimated.

    plan: of the training, but for the seeds, the motion and the size, its first.
    """
    sets = {}
    for number, (name, motion) in enumerate(MOTIONS.items()):
        scene = replace(plan.world.scene, motion=motion)
        held = replace(
            plan, shard=count, sizes=plan.sizes[:1], world=replace(plan.world, scene=scene)
        )
        sets[name] = make_depth_shard(seed + number, 0, held, bundled_photos(), observer)
    return sets


def batches(held: DepthShard, plan: DepthDataPlan, size: int = 4) -> list[DepthBatch]:
    """Both directions of all pairs, the motion always as estimated."""
    samples = [(held, index, side) for index in range(len(held.images)) for side in (0, 1)]
    estimated = replace(plan, given=0.0, blind=0.0)
    rng = np.random.default_rng(0)
    return [
        depth_batch(rng, samples[k : k + size], estimated) for k in range(0, len(samples), size)
    ]


@torch.inference_mode()
def run_head(head: DepthHead, batch: DepthBatch) -> DepthMap:
    """Return the head on a batch, in the arithmetic of training, results in float32."""
    with autocast("auto", torch.device("cpu")):
        found: DepthMap = head(batch.direction, head.encode(batch.images[0]), batch.geometry)
        return found


def depth_errors(
    head: DepthHead, sets: dict[str, DepthShard], plan: DepthDataPlan
) -> dict[str, dict[str, dict[str, float]]]:
    """
    Return AbsRel and delta1 after median scaling, by method and set.

    Methods: the head; `triangulated`, its input alone (pixels without an answer at the median);
    `plane`, one depth for all.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, held in sets.items():
        rows: dict[str, list[npt.NDArray[np.float64]]] = {}
        for batch in batches(held, plan):
            truth = batch.log_inverse
            fine = functional.interpolate(
                batch.geometry[:, TRIANGULATED : TRIANGULATED + 1],
                scale_factor=4,
                mode="bilinear",
            )
            answers = {
                "head": run_head(head, batch).log_inverse,
                "triangulated": fine[:, 0],
                "plane": torch.zeros_like(truth),
            }
            for method, answer in answers.items():
                rows.setdefault(method, []).append(scaled_errors(answer, truth))
        for method, parts in rows.items():
            mean = np.concatenate(parts).mean(0)
            values = {"abs_rel": round(float(mean[0]), 4), "delta1": round(float(mean[1]), 4)}
            found.setdefault(method, {})[name] = values
    return found


def scaled_errors(log_inverse: Tensor, truth: Tensor) -> npt.NDArray[np.float64]:
    """Return AbsRel and delta1 (B, 2) of depth scaled by the ratio of the medians."""
    ratio = truth - (log_inverse + median(truth) - median(log_inverse))  # log of depth / true
    relative = (ratio.exp() - 1).abs().mean((1, 2))
    close = (ratio.abs() < np.log(DELTA)).float().mean((1, 2))
    return torch.stack([relative, close], 1).double().numpy()


def sigma_factor(head: DepthHead, sets: dict[str, DepthShard], plan: DepthDataPlan) -> float:
    """Return the factor of sigma with which errors over sigma have a Laplace mean."""
    ratios = []
    for held in sets.values():
        for batch in batches(held, plan):
            result = run_head(head, batch)
            error = result.log_inverse - batch.log_inverse
            error = (error - median(error)).abs()
            ratios.append((error * (-result.log_sigma).exp()).mean())
    return float(torch.stack(ratios).mean() * np.sqrt(2))
