"""`zeroco train backbone`: train the default network from nothing."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

HELP = "train a network from the procedural world"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is trained, where to, for how long and from which recipe."""
    parser.add_argument("what", choices=["backbone"], help="the network to train")
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    parser.add_argument("--config", type=Path, help="recipe (YAML); default: the shipped one")
    parser.add_argument("--steps", type=int, help="optimizer steps, instead of the recipe's")
    parser.add_argument("--minutes", type=float, help="train by the clock instead of by steps")
    parser.add_argument("--seed", type=int, help="instead of the recipe's")
    parser.add_argument("--textures", metavar="DIR", help="further pictures to use as textures")
    parser.add_argument("--threads", type=int, help="CPU threads of the trainer")
    parser.add_argument(
        "--device", choices=["auto", "cpu", "cuda"], default="cpu", help="default: cpu"
    )
    parser.add_argument(
        "--precision",
        choices=["auto", "float32", "bfloat16"],
        default="auto",
        help="of the products; auto: bfloat16 where the hardware multiplies it",
    )
    parser.add_argument("--resume", action="store_true", help="go on from the run's checkpoint")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="evaluate the result on data as for `zeroco eval`"
    )
    parser.add_argument(
        "--held-out", type=int, default=24, help="pairs per held-out set (0: none)"
    )


def run(args: argparse.Namespace) -> int:
    """Train, then write the weights and their model card."""
    from zeroco_ros.errors import ConfigError
    from zeroco_ros.training.export import export
    from zeroco_ros.training.recipe import DEFAULT_RECIPE, load_recipe
    from zeroco_ros.training.train import RunOptions, train

    for name in ("steps", "minutes", "threads"):
        value = getattr(args, name)
        if value is not None and value <= 0:
            raise ConfigError(f"--{name} {value}: a number above 0 is needed")
    recipe = load_recipe(args.config or DEFAULT_RECIPE)
    if args.steps is not None:
        recipe = replace(recipe, steps=args.steps)
    if args.seed is not None:
        recipe = replace(recipe, seed=args.seed)
    options = RunOptions(
        out=args.out,
        minutes=args.minutes,
        textures=args.textures,
        threads=args.threads,
        resume=args.resume,
        held_out=args.held_out,
        device=args.device,
        precision=args.precision,
        command=_command(args),
    )
    trainer = train(recipe, options)
    if trainer.team.leads:
        weights = args.out / f"{args.what}.safetensors"
        export(args.out, weights)
        if args.data is not None:
            export(args.out, weights, notes=_real_data(args.data, weights))
        print(f"{weights} and {weights.with_suffix('.md')}")
    return 0


def _command(args: argparse.Namespace) -> str:
    """The command line for the model card, without this machine's paths."""
    words = [f"zeroco train {args.what} --out DIR"]
    for name in ("steps", "minutes", "seed", "threads"):
        value = getattr(args, name)
        if value is not None:
            words.append(f"--{name} {value:g}")
    words += [f"--{name} PATH" for name in ("config", "textures") if getattr(args, name)]
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if processes > 1:
        words.insert(0, f"torchrun --nproc-per-node {processes} --no-python")
    return " ".join(words)


def _real_data(folder: Path, weights: Path) -> str:
    """The evaluation's table on data with ground truth, beside OpenCV's DIS."""
    from zeroco_ros.evaluation.datasets import find_sets
    from zeroco_ros.evaluation.evaluate import evaluate
    from zeroco_ros.evaluation.methods import make_method
    from zeroco_ros.evaluation.report import as_text

    names = ("coarse", "default", "dis", "zero")
    methods = [make_method(name, str(weights), "cpu", 1) for name in names]
    table = as_text(evaluate(find_sets(str(folder)), methods))
    head = "Evaluation only, never training (`zeroco eval flow`; `default` is `coarse` refined)."
    return f"{head}\n\n```\n{table}\n```"
