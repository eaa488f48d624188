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

"""`zeroco train`: train the networks of this package from nothing."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
import os
from pathlib import Path
from typing import Any

from zeroco_ros.commands.train_judging import judge_of, real_data, real_depth

HELP = "train a network from the procedural world"
DESCRIPTION = """\
`zeroco train backbone --out DIR` trains the cross-attention backbone of the default weights from
random numbers, `flow` the flow head on top of one, `depth` the depth head on top of both; `ablate`
compares training objectives.
Killed runs go on with --resume. Several processes: torchrun --nproc-per-node N --no-python zeroco
train ... (docs/TRAINING.md)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be trained, each with its options."""
    kinds = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    for name, (text, declare) in _KINDS.items():
        child = kinds.add_parser(name, help=text, description=text)
        _common(child)
        declare(child)
        child.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )


def _common(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--out", type=Path, required=True, help="run folder")
    add("--config", type=Path, metavar="NAME|FILE", help="recipe; default: the shipped one")
    add("--seed", type=int, help="instead of the recipe's")
    add("--textures", metavar="DIR", help="further pictures to use as textures")
    add("--threads", type=int, help="CPU threads of the trainer")
    add("--held-out", type=int, default=24, help="pairs per held-out set (0: none)")


def _run_length(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--steps", type=int, help="optimizer steps, instead of the recipe's")
    parser.add_argument("--minutes", type=float, help="train by the clock instead of by steps")
    parser.add_argument("--resume", action="store_true", help="go on from the run's checkpoint")


def _arithmetic(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--device", choices=["auto", "cpu", "cuda"], default="cpu", help="default: cpu")
    add(
        "--precision",
        choices=["auto", "float32", "bfloat16"],
        default="auto",
        help="of the products; auto: bfloat16 where the hardware multiplies it",
    )
    add("--init", type=Path, metavar="FILE", help="begin with these weights, not random ones")
    _data_argument(parser)


def _data_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="also evaluate on data as for `zeroco eval`, never train on it",
    )


def _backbone_arguments(parser: argparse.ArgumentParser) -> None:
    _run_length(parser)
    _arithmetic(parser)


def _flow_arguments(parser: argparse.ArgumentParser) -> None:
    _run_length(parser)
    parser.add_argument(
        "--backbone",
        default="default",
        metavar="NAME|FILE",
        help="weights that the head is trained on top of (default: default)",
    )


def _depth_arguments(parser: argparse.ArgumentParser) -> None:
    _flow_arguments(parser)
    parser.add_argument(
        "--flow",
        default="flow_head",
        metavar="NAME|FILE",
        help="flow head whose flow it sees, or none (default: flow_head)",
    )
    _data_argument(parser)


def _ablate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--minutes", type=float, required=True, help="processor time of each objective"
    )
    parser.add_argument("--objectives", metavar="A,B", help="default: all")
    parser.add_argument("--pairs", type=int, default=1024, help="rendered pairs (default: 1024)")
    _arithmetic(parser)


_KINDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "backbone": ("the cross-attention backbone", _backbone_arguments),
    "flow": ("the flow head on top of a backbone", _flow_arguments),
    "depth": ("the depth head on top of a backbone and a flow head", _depth_arguments),
    "ablate": ("compare training objectives at equal compute", _ablate_arguments),
}


def run(args: argparse.Namespace) -> int:
    """Train, then write what came of it."""
    from zeroco_ros.errors import ConfigError

    for name in ("steps", "minutes", "threads", "pairs"):
        value = getattr(args, name, None)
        if value is not None and value <= 0:
            raise ConfigError(f"--{name} {value}: a number above 0 is needed")
    verbs = {"backbone": _backbone, "flow": _flow, "depth": _depth, "ablate": _ablate}
    return verbs[args.what](args)


def _backbone(args: argparse.Namespace) -> int:
    from zeroco_ros.training.export import export
    from zeroco_ros.training.train import train

    trainer = train(_recipe(args), _options(args, resume=args.resume))
    if trainer.team.leads:
        weights = args.out / "backbone.safetensors"
        export(args.out, weights)
        if args.data is not None:
            export(args.out, weights, notes=real_data(args.data, weights))
        print(f"{weights} and {weights.with_suffix('.md')}")
    return 0


def _flow(args: argparse.Namespace) -> int:
    from zeroco_ros.training.flow_export import export_flow
    from zeroco_ros.training.flow_recipe import DEFAULT_FLOW_RECIPE, load_flow_recipe
    from zeroco_ros.training.flow_train import train_flow
    from zeroco_ros.training.head_trainer import HeadRunOptions

    recipe = _as_told(load_flow_recipe(args.config or DEFAULT_FLOW_RECIPE), args)
    if train_flow(recipe, HeadRunOptions(**_head_run(args))).team.leads:
        weights = args.out / "flow.safetensors"
        export_flow(args.out, weights, backbone=args.backbone)
        print(f"{weights} and {weights.with_suffix('.md')}")
    return 0


def _depth(args: argparse.Namespace) -> int:
    from zeroco_ros.training.depth_export import export_depth
    from zeroco_ros.training.depth_recipe import DEFAULT_DEPTH_RECIPE, load_depth_recipe
    from zeroco_ros.training.depth_train import DepthRunOptions, train_depth

    recipe = _as_told(load_depth_recipe(args.config or DEFAULT_DEPTH_RECIPE), args)
    options = DepthRunOptions(**_head_run(args), flow=args.flow)
    if train_depth(recipe, options).team.leads:
        weights = args.out / "depth.safetensors"
        export_depth(args.out, weights, backbone=args.backbone, flow=args.flow)
        if args.data is not None:
            words = _command(args)
            notes = real_depth(args.data, weights, args.backbone, args.flow, words)
            export_depth(args.out, weights, backbone=args.backbone, flow=args.flow, notes=notes)
        print(f"{weights} and {weights.with_suffix('.md')}")
    return 0


def _ablate(args: argparse.Namespace) -> int:
    from zeroco_ros.commands.info import cpu
    from zeroco_ros.training.ablation import ablate, as_json, as_markdown, VARIANTS

    names = args.objectives.split(",") if args.objectives else list(VARIANTS)
    machine = cpu()
    facts = {
        "command": f"`{_command(args)}`",
        "pairs": args.pairs,
        "minutes of processor time each": args.minutes,
        "threads": args.threads or "torch's default",
        "machine": f"{machine['model']}, {machine['cores']} cores",
    }

    def write(rows) -> None:
        (args.out / "ablation.md").write_text(as_markdown(rows, facts), encoding="utf-8")
        (args.out / "ablation.json").write_text(as_json(rows, facts) + "\n", encoding="utf-8")

    rows = ablate(_recipe(args), _options(args), names, args.pairs, write)
    print(as_markdown(rows, facts))
    return 0


def _recipe(args: argparse.Namespace):
    from zeroco_ros.training.recipe import DEFAULT_RECIPE, load_recipe

    return _as_told(load_recipe(args.config or DEFAULT_RECIPE), args)


def _as_told(recipe, args: argparse.Namespace):
    """Return a recipe with what the command line says instead."""
    changes = {name: getattr(args, name, None) for name in ("steps", "seed")}
    return replace(recipe, **{k: v for k, v in changes.items() if v is not None})


def _head_run(args: argparse.Namespace) -> dict[str, Any]:
    """Return the command line's part of `HeadRunOptions`."""
    names = ("out", "backbone", "minutes", "textures", "threads", "resume", "held_out")
    return {name: getattr(args, name) for name in names} | {"command": _command(args)}


def _options(args: argparse.Namespace, *, resume: bool = False):
    from zeroco_ros.training.trainer import RunOptions

    return RunOptions(
        out=args.out,
        minutes=args.minutes,
        textures=args.textures,
        threads=args.threads,
        resume=resume,
        held_out=args.held_out,
        device=args.device,
        precision=args.precision,
        start=args.init,
        judge=judge_of(args.data) if args.data is not None else None,
        command=_command(args),
    )


def _command(args: argparse.Namespace) -> str:
    """Return the command line for the model card, without this machine's paths."""
    words = [f"zeroco train {args.what} --out DIR"]
    for name in ("steps", "minutes", "seed", "threads", "pairs"):
        value = getattr(args, name, None)
        if value is not None:
            words.append(f"--{name} {value:g}")
    if getattr(args, "objectives", None):
        words.append(f"--objectives {args.objectives}")
    paths = ("config", "textures", "init", "data")
    words += [f"--{name} PATH" for name in paths if getattr(args, name, None)]
    words += ["--resume"] if getattr(args, "resume", False) else []
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if processes > 1:
        words.insert(0, f"torchrun --nproc-per-node {processes} --no-python")
    return " ".join(words)
