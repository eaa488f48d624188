"""The depth head beside geometry: its answer in the stream's unit, alone or fused."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from zeroco_ros.estimate.frames import EncodedFrame
from zeroco_ros.estimate.keyframe import Match
from zeroco_ros.estimate.learned_depth import LearnedDepth
from zeroco_ros.estimate.learned_prior import learned_prior
from zeroco_ros.estimate.multiview import as_depth
from zeroco_ros.estimate.multiview_prior import fused
from zeroco_ros.estimate.posed_view import DepthMap
from zeroco_ros.geometry.transforms import inverse

Array = npt.NDArray[np.float64]


def learned_depth(
    head: LearnedDepth,
    mode: Literal["learned", "fused"],
    frame: EncodedFrame,
    match: Match,
    pose: Array,
    K: Array,
    geometric: DepthMap,
    max_relative_sigma: float,
) -> DepthMap:
    """Depth of a frame by the head, from its match with one key frame.

    The head's inverse depth is known up to one factor: that which fits the geometric depth best
    (robustly), which also says how large its errors are. mode "learned" returns it alone, "fused"
    weighs both by their inverse variances. Where the geometric depth says too little for a factor,
    it is returned as it is.
    """
    motion = inverse(match.key.pose) @ pose
    relative = head.predict(frame, match.key.encoded, match.flow, K, motion=motion)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (1 / geometric.depth).astype(np.float32)
        sigma = (geometric.sigma / geometric.depth**2).astype(np.float32)
    prior = learned_prior(relative, value, sigma)
    if prior is None:
        return geometric
    if mode == "fused":
        known = np.isfinite(value)
        value, sigma = np.where(known, value, 0), np.where(known, sigma, np.inf)
        return as_depth(*fused(value, sigma, prior), max_relative_sigma)
    return as_depth(prior.value, prior.sigma, max_relative_sigma)
