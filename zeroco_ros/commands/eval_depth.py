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

"""`zeroco eval depth`: depth, its uncertainty and the trajectory on posed sequences."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from zeroco_ros.commands.eval_files import run_facts, write_json, write_page, write_picture
from zeroco_ros.commands.eval_options import dataset_kinds, named_sets
from zeroco_ros.commands.network_options import network_options
from zeroco_ros.errors import ConfigError

METHODS = "geometric,learned,fused,dis,constant"
Progress = Callable[[int], AbstractContextManager[Callable[[str], None]]]


def run_depth(args: argparse.Namespace, names: list[str], progress: Progress) -> int:
    """Evaluate the methods named on the sequences of the options; print and write the tables."""
    from zeroco_ros.evaluation.depth_evaluate import evaluate_depth
    from zeroco_ros.evaluation.depth_methods import depth_methods
    from zeroco_ros.evaluation.depth_plots import trajectories_picture
    from zeroco_ros.evaluation.depth_report import as_json, as_markdown, as_text

    sequences = chosen_sequences(args)
    methods = depth_methods(names, args.poses, options=network_options(args), head=args.head)
    with progress(sum(map(len, sequences)) * len(methods)) as advance:
        results = evaluate_depth(sequences, methods, advance)
    print(as_text(results))
    facts = run_facts(args)
    write_json(args, as_json(results, methods, facts))
    write_picture(args, lambda: trajectories_picture(results))
    write_page(args, lambda picture: as_markdown(results, methods, facts, picture))
    return 0


def chosen_sequences(args: argparse.Namespace) -> list[Any]:
    """Return the sequences that --data, --dataset and --sets name, --frames of each at most."""
    from zeroco_ros.commands.eval_procedural import procedural_sequences
    from zeroco_ros.evaluation.datasets import DEPTH_DATASETS, find_sequences
    from zeroco_ros.evaluation.sequences import shorter

    if args.frames is not None and args.frames < 1:
        raise ConfigError(f"--frames is {args.frames}: give a whole number from 1")
    found: list[Any] = []
    for kind in dataset_kinds(args, DEPTH_DATASETS):
        if kind == "procedural":
            found += procedural_sequences()
        elif not args.data:
            raise ConfigError("--data is missing: give the folder of the evaluation data")
        else:
            found += find_sequences(args.data, dataset=kind, topic=args.topic)
    return [shorter(one, args.frames) for one in named_sets(found, args.sets)]
