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

"""Real data with ground truth beside a training run: judged on, never trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

_JUDGED = ("hololens", "redkitchen")


def judge_of(folder: Path):
    """Errors of a network's coarse match on the real pairs of `folder`, by set, in pixels."""
    from zeroco_ros.estimate.network import NetworkOptions
    from zeroco_ros.evaluation.datasets import find_sets
    from zeroco_ros.evaluation.evaluate import evaluate
    from zeroco_ros.evaluation.methods import make_method
    from zeroco_ros.training.export import draft_weights

    every = find_sets(folder)
    sets = [one for one in every if one.name in _JUDGED] or every

    def judge(model) -> dict[str, float]:
        with draft_weights(model) as weights:
            method = make_method("coarse", NetworkOptions(weights=weights, device="cpu"))
            results = evaluate(sets, [method])
        return {one.name: round(one.methods[0].score.aepe, 3) for one in results}

    return judge


def real_data(folder: Path, weights: Path) -> str:
    """Return the evaluation's table on data with ground truth, beside OpenCV's DIS."""
    from zeroco_ros.estimate.network import NetworkOptions
    from zeroco_ros.evaluation.datasets import find_sets
    from zeroco_ros.evaluation.evaluate import evaluate
    from zeroco_ros.evaluation.methods import make_method
    from zeroco_ros.evaluation.report import as_text

    names = ("coarse", "coarse-dis", "dis", "zero")
    options = NetworkOptions(weights=weights, device="cpu", threads=1)
    methods = [make_method(name, options) for name in names]
    table = as_text(evaluate(find_sets(str(folder)), methods))
    head = "Evaluation only, never training (`zeroco eval flow`)."
    return f"{head}\n\n```\n{table}\n```"


def real_depth(folder: Path, weights: Path, backbone: str, head: str, command: str) -> str:
    """Return the depth head's errors on pairs with measured depth, beside plain answers."""
    from zeroco_ros.estimate.config import preset
    from zeroco_ros.estimate.flow import FlowEstimator
    from zeroco_ros.estimate.learned_depth import LearnedDepth
    from zeroco_ros.evaluation.datasets import find_sequences
    from zeroco_ros.evaluation.depth_pairs import as_markdown, evaluate_pairs, METHODS, PARALLAX

    config = replace(preset("default"), head=head)
    flow = FlowEstimator(config, weights=backbone, device="cpu")
    rows = evaluate_pairs(find_sequences(folder), flow, LearnedDepth(flow.backend, weights))
    methods = "\n".join(f"- {name}: {text}" for name, text in METHODS.items())
    return (
        f"`{command}`. Single pairs of frames,\n"
        f"chosen for a parallax near {PARALLAX:.0%} of the image's longer side; pixels with\n"
        "measured depth, after scaling by the ratio of the medians.\n\n"
        f"{methods}\n\n{as_markdown(rows)}"
    )
