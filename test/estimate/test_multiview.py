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

"""Depth of one frame from several posed views, on the procedural world with exact depth."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
import pytest
from true_flow import true_flow

from zeroco_ros.errors import ConfigError
from zeroco_ros.estimate.multiview import (
    depth_from_views,
    InverseDepthPrior,
    MultiviewConfig,
    warp_prior,
)
from zeroco_ros.estimate.posed_view import DepthMap, PosedView
from zeroco_ros.estimate.results import FlowResult
from zeroco_ros.training.sequences import world_sequence, WorldFrame

SIZE = (144, 192)
FRAMES, REFERENCE, OTHERS = 6, 5, (4, 3, 2, 1)


@lru_cache(maxsize=4)
def frames(kind: str) -> tuple[WorldFrame, ...]:
    return tuple(world_sequence(kind, FRAMES, SIZE))


def gray(frame: WorldFrame) -> np.ndarray:
    return np.asarray(cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY))


def flow_of(target: WorldFrame, source: WorldFrame, noise: float, seed: int) -> FlowResult:
    """Return the true flow with smooth errors of `noise` pixels, as a network makes them."""
    flow, seen = true_flow(target, source)
    if target.moving.any():
        flow, seen = with_mover(target, source, seed, flow, seen)
    random = np.random.default_rng(seed)
    coarse = random.normal(0, noise, (SIZE[0] // 16, SIZE[1] // 16, 2)).astype(np.float32)
    flow = flow + cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_NEAREST)
    error = np.where(seen, noise, np.inf).astype(np.float32)
    sure = np.where(seen, 0.9, 0.02).astype(np.float32)
    return FlowResult(flow.astype(np.float32), sure, ~seen, error, np.zeros((1, 1, 2), np.float32))


def with_mover(
    target: WorldFrame, source: WorldFrame, number: int, flow: np.ndarray, seen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give flow where the crate of "moving" is: it slides 1.2 m along the world's y on its way."""
    here = np.eye(4)
    here[1, 3] = -1.2 * (number - REFERENCE) / (FRAMES - 1)
    carried = replace(source, c2w=here @ source.c2w)
    own, _ = true_flow(target, carried)
    return np.where(target.moving[..., None], own, flow), seen | target.moving


def views_of(kind: str, others: tuple[int, ...] = OTHERS, noise: float = 0.4) -> list[PosedView]:
    here = frames(kind)[REFERENCE]
    views = []
    for number in others:
        there = frames(kind)[number]
        pose = np.linalg.inv(there.c2w) @ here.c2w
        views.append(PosedView(flow_of(here, there, noise, number), pose, there.K, gray(there)))
    return views


def estimate(kind: str, views: list[PosedView], **options: object) -> DepthMap:
    here = frames(kind)[REFERENCE]
    return depth_from_views(here.K, views, image=gray(here), **options)  # type: ignore[arg-type]


def errors(kind: str, found: DepthMap) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Relative error and deviations of the known pixels, and which are known."""
    truth = frames(kind)[REFERENCE].depth
    known = np.isfinite(found.depth)
    error = np.abs(found.depth - truth)[known]
    return error / truth[known], error / found.sigma[known], known


def test_depth_is_right_and_complete() -> None:
    found = estimate("walk", views_of("walk"))
    relative, _, known = errors("walk", found)
    assert found.depth.dtype == found.sigma.dtype == np.float32 and found.depth.shape == SIZE
    assert (np.isnan(found.depth) == np.isnan(found.sigma)).all()
    assert known.mean() > 0.9
    assert np.median(relative) < 0.02 and relative.mean() < 0.05


def test_sigma_is_a_standard_deviation_and_ranks() -> None:
    found = estimate("walk", views_of("walk"))
    relative, deviations, known = errors("walk", found)
    assert 0.3 < np.quantile(deviations, 0.683) < 1.5
    order = np.argsort((found.sigma / found.depth)[known])
    half = len(order) // 2
    assert relative[order[:half]].mean() < 0.6 * relative[order[half:]].mean()


def test_pictures_alone_do_once_the_range_is_known() -> None:
    views = views_of("walk")
    silent = [views[0]] + [PosedView(None, v.T_view_from_ref, v.K, v.gray) for v in views[1:]]
    found = estimate("walk", silent)
    relative, _, known = errors("walk", found)
    assert known.mean() > 0.8 and np.median(relative) < 0.03


def test_grossly_wrong_flow_of_one_view_is_outvoted() -> None:
    views = views_of("walk")
    wrong = views[1].flow
    assert wrong is not None
    lies = FlowResult(
        wrong.flow + 12,
        wrong.confidence,
        wrong.occluded,
        wrong.forward_backward_error,
        wrong.coarse,
    )
    views[1] = PosedView(lies, views[1].T_view_from_ref, views[1].K, views[1].gray)
    relative, _, known = errors("walk", estimate("walk", views))
    assert known.mean() > 0.85 and np.median(relative) < 0.025


@pytest.mark.parametrize("kind", ["static", "rotation"])
def test_without_parallax_there_is_no_depth(kind: str) -> None:
    found = estimate(kind, views_of(kind))
    assert np.isfinite(found.depth).mean() < 0.02


def test_without_parallax_the_prior_decides() -> None:
    truth = frames("static")[REFERENCE].depth
    prior = InverseDepthPrior(1 / truth, np.full(SIZE, 0.02, np.float32) / truth)
    found = estimate("static", views_of("static"), prior=prior)
    relative, _, known = errors("static", found)
    assert known.mean() > 0.9 and np.median(relative) < 0.02


def test_what_moves_by_itself_is_unknown_or_unsure() -> None:
    mover = frames("moving")[REFERENCE].moving
    found = estimate("moving", views_of("moving"))
    _, deviations, known = errors("moving", found)
    assert mover.sum() > 300 and known[~mover].mean() > 0.85
    assert known[mover].mean() < 0.5
    wrong = np.zeros(SIZE, dtype=bool)
    wrong[known] = deviations > 3
    assert wrong[mover].mean() < 0.1


def test_wrong_poses_are_noticed() -> None:
    views = views_of("walk")
    turned = np.eye(4)
    turned[:3, :3] = cv2.Rodrigues(np.radians([1.0, 0.5, 0.0]))[0]
    bad = [replace(v, T_view_from_ref=turned @ v.T_view_from_ref) for v in views]
    good, worse = estimate("walk", views), estimate("walk", bad)
    both = np.isfinite(good.depth) & np.isfinite(worse.depth)
    assert np.median(worse.sigma[both] / good.sigma[both]) > 2


def test_depth_carried_over_is_the_next_frames_prior() -> None:
    old, new = frames("walk")[REFERENCE - 1], frames("walk")[REFERENCE]
    known = DepthMap(old.depth, 0.02 * old.depth)
    prior = warp_prior(known, old.K, np.linalg.inv(new.c2w) @ old.c2w)
    there = np.isfinite(prior.value)
    assert there.mean() > 0.8 and (np.isfinite(prior.sigma) == there).all()
    assert np.median(np.abs(1 / prior.value - new.depth)[there] / new.depth[there]) < 0.01
    weak = views_of("walk", (4,), noise=2.0)
    alone, helped = (errors("walk", estimate("walk", weak, prior=p)) for p in (None, prior))
    assert helped[2].mean() >= alone[2].mean() - 0.01
    assert np.median(helped[0]) < 0.8 * np.median(alone[0])


def test_a_prior_that_knows_nothing_changes_nothing() -> None:
    nothing = np.full(SIZE, np.nan, dtype=np.float32)
    views = views_of("walk")
    found = estimate("walk", views, prior=InverseDepthPrior(nothing, nothing))
    np.testing.assert_allclose(found.depth, estimate("walk", views).depth, rtol=1e-5)


def test_what_leaves_the_picture_and_odd_sizes() -> None:
    here = frames("walk")[REFERENCE]
    views = []
    for number in (4, 3):
        there = frames("walk")[number]
        flow = flow_of(here, there, 0.4, number)
        cut = FlowResult(
            flow.flow[:131, :173],
            flow.confidence[:131, :173],
            flow.occluded[:131, :173],
            flow.forward_backward_error[:131, :173],
            flow.coarse,
        )
        pose = np.linalg.inv(there.c2w) @ here.c2w
        views.append(PosedView(cut, pose, there.K, gray(there)))
    config = MultiviewConfig(max_side=64)
    found = depth_from_views(here.K, views, image=gray(here)[:131, :173], config=config)
    known = np.isfinite(found.depth)
    truth = here.depth[:131, :173]
    assert found.depth.shape == (131, 173) and known.mean() > 0.8
    assert np.median(np.abs(found.depth - truth)[known] / truth[known]) < 0.03


def test_uncertain_poses_make_uncertain_depth() -> None:
    views = views_of("walk")
    loose = np.diag([0.02**2] * 3 + [np.radians(0.5) ** 2] * 3)
    unsure = [PosedView(v.flow, v.T_view_from_ref, v.K, v.gray, loose) for v in views]
    sharp, wide = estimate("walk", views), estimate("walk", unsure)
    both = np.isfinite(sharp.depth) & np.isfinite(wide.depth)
    assert np.median(wide.sigma[both] / sharp.sigma[both]) > 1.5


def test_no_views_say_nothing() -> None:
    assert np.isnan(estimate("walk", []).depth).all()


@pytest.mark.parametrize(
    "options",
    [{"levels": 4}, {"max_side": 10}, {"flow_weight": -1.0}, {"max_relative_sigma": 0.0}],
)
def test_configuration_is_checked(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        MultiviewConfig(**options)  # type: ignore[arg-type]


def test_a_blank_margin_that_no_view_sees_is_not_near() -> None:
    """A wall 2 m away; the view turned away, so that only what were nearer would be in it."""
    random = np.random.default_rng(0)
    picture = cv2.GaussianBlur(random.normal(128, 90, SIZE).astype(np.float32), (0, 0), 1.5)
    picture[:, 140:] = 128 + random.normal(0, 1, (SIZE[0], SIZE[1] - 140))
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    K = np.array([[300, 0, 95.5], [0, 300, 71.5], [0, 0, 1.0]])
    pose = np.eye(4)
    pose[:3, :3] = cv2.Rodrigues(np.array([0, 0.32, 0]))[0]
    pose[0, 3] = -0.4
    wall = K @ (pose[:3, :3] + 0.5 * np.outer(pose[:3, 3], (0, 0, 1))) @ np.linalg.inv(K)
    y, x = np.mgrid[0 : SIZE[0], 0 : SIZE[1]].astype(float)
    there = np.stack([x, y, np.ones(SIZE)], -1) @ wall.T
    there = there[..., :2] / there[..., 2:]
    flow = (there - np.stack([x, y], -1)).astype(np.float32)
    seen = ((there >= 0) & (there <= (SIZE[1] - 1, SIZE[0] - 1))).all(-1)
    gray_there = cv2.warpPerspective(picture, wall, SIZE[::-1], borderMode=cv2.BORDER_REFLECT)
    error = np.where(seen, 0.2, np.inf).astype(np.float32)
    sure = np.where(seen, 0.9, 0).astype(np.float32)
    match = FlowResult(flow, sure, ~seen, error, np.zeros((1, 1, 2), np.float32))
    found = depth_from_views(K, [PosedView(match, pose, K, gray_there)], image=picture)
    far_off = np.abs(found.depth - 2) > 3 * found.sigma
    assert 0.1 < (~seen).mean() < 0.5
    assert np.isfinite(found.depth[seen]).mean() > 0.6
    assert far_off[~seen].mean() < 0.05


def test_good_matches_are_finer_than_the_levels() -> None:
    views = views_of("walk", noise=0.05)
    coarse, fine = (
        errors("walk", estimate("walk", views, config=MultiviewConfig(levels=32, flow_weight=w)))
        for w in (0.0, 0.05)
    )
    assert np.median(fine[0]) < 0.7 * np.median(coarse[0])


@pytest.mark.parametrize("seed", range(12))
def test_nonsense_raises_nothing(seed: int) -> None:
    random = np.random.default_rng(seed)
    size = (int(random.integers(16, 60)), int(random.integers(16, 400)))
    K = np.array([[50, 0, size[1] / 2], [0, 50, size[0] / 2], [0, 0, 1.0]])
    views = []
    for _ in range(3):
        flow = random.normal(0, random.choice([0, 3, 1e4]), (*size, 2)).astype(np.float32)
        flow[random.random(size) < 0.05] = np.nan
        error = np.where(random.random(size) < 0.2, np.inf, 1).astype(np.float32)
        sure = random.random(size).astype(np.float32)
        match = FlowResult(flow, sure, sure < 0.5, error, np.zeros((1, 1, 2), np.float32))
        pose = np.eye(4)
        pose[:3, :3] = cv2.Rodrigues(random.normal(0, random.choice([0.1, 3]), 3))[0]
        pose[:3, 3] = random.normal(0, random.choice([0, 1e-6, 0.1, 1e4]), 3)
        picture = random.integers(0, 256, size).astype(np.uint8)
        views.append(PosedView(match if random.random() < 0.8 else None, pose, K, picture))
    value = np.where(random.random(size) < 0.3, np.nan, random.random(size)).astype(np.float32)
    prior = InverseDepthPrior(value, value / 10) if seed % 2 else None
    found = depth_from_views(K, views, image=views[0].gray, prior=prior)
    known = np.isfinite(found.depth)
    assert (known == np.isfinite(found.sigma)).all() and not np.isinf(found.depth).any()
    assert (found.depth[known] > 0).all() and (found.sigma[known] > 0).all()
