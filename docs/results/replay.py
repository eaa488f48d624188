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
Compare a replay with the live nodes and with itself; prints the tables of replay.md.

python docs/results/replay.py BAG... --out DIR [--threads N]

For each bag: `zeroco demo` plays it into the live nodes, `zeroco replay` runs it twice, everything
with the same parameters. What is in DIR already is not run again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
import subprocess
import sys
from typing import Any

import numpy as np

from zeroco_ros.bag.images import decode_image, header_stamp
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.evaluation.bag_camera import find_camera
from zeroco_ros.evaluation.bag_truth import find_depth, find_truth, true_depth, true_flow
from zeroco_ros.evaluation.depth_metrics import score_frame
from zeroco_ros.evaluation.metrics import score_pair
from zeroco_ros.replay.record import METRICS, ReplayRun

IMAGES = ("/flow_node/flow", "/flow_node/confidence", "/depth_node/depth")
IMAGES += ("/depth_node/depth_sigma",)
ODOMETRY = "/depth_node/odometry"


def main() -> None:
    """Run what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bags", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", default="1")
    args = parser.parse_args()
    for bag in args.bags:
        out = args.out / bag.name
        _run(bag, out, args.threads)
        print(f"\n## {bag.name}\n")
        _topics(out / "live" / "output_bag", out / "replay" / "output_bag" / bag.name)
        _numbers(bag, out)
        _speed(out)


def _run(bag: Path, out: Path, threads: str) -> None:
    with BagReader(bag) as reader:
        poses = find_camera(reader, None).pose_topic
    given = ["--poses", poses] if poses else []
    replay = ["replay", str(bag), "--reference", "auto", "--threads", threads, *given]
    live = ["demo", "--bag", str(bag), "--out", str(out / "live"), "--threads", threads]
    if not (out / "live" / "summary.json").exists():
        _zeroco(*live)
    for name in ("replay", "again"):
        if not (out / name / METRICS).exists():
            _zeroco(*replay, "-o", str(out / name))


def _zeroco(*words: str) -> None:
    print("zeroco", *words, file=sys.stderr, flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "zeroco_ros.cli", *words], stdout=sys.stderr, check=False
    )
    if done.returncode:
        sys.exit(f"zeroco {words[0]} ended with exit code {done.returncode}")


def _topics(live: Path, own: Path) -> None:
    print("| topic | live messages | in both | largest difference | differing values |")
    print("|---|---|---|---|---|")
    for topic in IMAGES:
        one, other = _messages(live, topic), _messages(own, topic)
        both = sorted(one.keys() & other.keys())
        largest, differing, total = 0.0, 0, 0
        for stamp in both:
            a, b = decode_image(one[stamp]), decode_image(other[stamp])
            unequal = ~((a == b) | (np.isnan(a) & np.isnan(b)))
            differing, total = differing + int(unequal.sum()), total + a.size
            gap = np.abs(a.astype(np.float64) - b)[unequal]
            largest = max(largest, float(np.nanmax(gap, initial=0)))
        share = f"{differing} of {total}"
        print(f"| {topic} | {len(one)} | {len(both)} | {largest:.3g} | {share} |")
    one, other = _messages(live, ODOMETRY), _messages(own, ODOMETRY)
    both = sorted(one.keys() & other.keys())
    gaps = [np.abs(_place(one[stamp]) - _place(other[stamp])).max() for stamp in both]
    largest = max(gaps, default=0.0)
    print(f"| {ODOMETRY} | {len(one)} | {len(both)} | {largest:.3g} m | |")


def _numbers(bag: Path, out: Path) -> None:
    """Errors over the live nodes' topics, by evaluation/, beside those of the report."""
    live = out / "live" / "output_bag"
    summary = ReplayRun.load(out / "replay").metrics.summary
    rows: dict[str, list[float]] = {"epe": [], "abs_rel": []}
    with BagReader(bag) as reader:
        camera = find_camera(reader, None)
        truth, depth = find_truth(reader, camera), find_depth(reader, camera)
        flows = _messages(live, "/flow_node/flow")
        if truth is not None:
            for stamp, true in true_flow(reader, camera, truth):
                known = np.isfinite(true).all(axis=-1)
                if stamp in flows and known.sum() >= 1000:
                    score = score_pair(decode_image(flows[stamp]), true, known)
                    rows["epe"].append(score.epe)
        depths = _messages(live, "/depth_node/depth")
        for stamp, true in true_depth(reader, depth) if depth else ():
            if stamp in depths and np.isfinite(true).sum() >= 1000:
                found = score_frame("", decode_image(depths[stamp]), true).unscaled
                rows["abs_rel"] += [] if found is None else [found.abs_rel]
    rows["depth_coverage"] = [
        float(np.isfinite(decode_image(message)).mean())
        for message in _messages(live, "/depth_node/depth").values()
    ]
    rows["confidence"] = [
        float(decode_image(message).mean(dtype=np.float64))
        for message in _messages(live, "/flow_node/confidence").values()
    ]
    print("\n| metric | over the live topics | report |\n|---|---|---|")
    for name, values in rows.items():
        if values and summary.get(name) is not None:
            print(f"| {name} | {np.mean(values):.9g} | {summary[name]:.9g} |")


def _speed(out: Path) -> None:
    same = (out / "replay" / METRICS).read_bytes() == (out / "again" / METRICS).read_bytes()
    bags = [next((out / n / "output_bag").iterdir()) for n in ("replay", "again")]
    contents = [_contents(bag) for bag in bags]
    print(f"\nTwice: metrics.json {'equal' if same else 'DIFFERENT'} byte for byte, ", end="")
    print(f"output bags {'equal' if contents[0] == contents[1] else 'DIFFERENT'}.")
    timing = ReplayRun.load(out / "again").timing
    assert timing is not None
    stages = ", ".join(f"{k} {v.median_ms:.0f} ms" for k, v in timing.stages.items())
    print(f"Speed: {timing.fps:.2f} frames/s, the estimators alone {timing.model_fps:.2f}.")
    print(f"Median per frame: {stages}.")


def _messages(bag: Path, topic: str) -> dict[int, Any]:
    with BagReader(bag) as reader:
        if topic not in reader.topics:
            return {}
        decoded = [reader.decode(message) for message in reader.messages([topic])]
    return {header_stamp(message.header): message for message in decoded}


def _contents(bag: Path) -> list[tuple[str, int, bytes]]:
    with BagReader(bag) as reader:
        return [(message.topic, message.stamp_ns, message.data) for message in reader]


def _place(message: Any) -> np.ndarray[Any, Any]:
    position = message.pose.pose.position
    return np.array([position.x, position.y, position.z])


if __name__ == "__main__":
    main()
