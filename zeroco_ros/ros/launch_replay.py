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

"""What replay.launch.py starts: nodes, a player, a recorder. Nothing here imports launch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
import time

from zeroco_ros.bag.camera_topics import camera_topic, info_topic
from zeroco_ros.bag.header import read_header
from zeroco_ros.bag.images import COMPRESSED
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.errors import BagError
from zeroco_ros.ros.launch_plan import (
    check,
    CommandStart,
    home,
    node_start,
    NodeStart,
    Plan,
    rviz_remaps,
    rviz_start,
    Values,
    verb,
)
from zeroco_ros.ros.launch_tables import DEPTH, FLOW, LaunchTable, REPLAY, REPLAY_RVIZ
from zeroco_ros.ros.topics import DEPTH_TOPICS, FLOW_TOPICS, TopicSpec

TABLES = {"flow": (FLOW,), "depth": (DEPTH,), "both": (FLOW, DEPTH)}
TOPICS: dict[str, tuple[TopicSpec, ...]] = {"flow_node": FLOW_TOPICS, "depth_node": DEPTH_TOPICS}
_PATIENCE = "120"  # seconds that the bag waits for a node to load its model


def replay_plan(share: Path, value: Values) -> Plan:
    """
    Return nodes, player and recorder for a bag; all ends `linger` seconds after the bag.

    share: the folder that has config/; value: every argument of launch_tables.REPLAY. Raises
    ValueError where the bag cannot be used or an argument has no meaning.
    """
    check(REPLAY, value)
    if value["nodes"] not in TABLES:
        raise ValueError(f"argument nodes is '{value['nodes']}': use {', '.join(TABLES)}")
    tables = TABLES[value["nodes"]]
    try:
        found = _of_bag(value, tables)
        recorded = [name for table in tables for name in outputs(table, found)]
        played = _played(value["bag"], recorded)
    except BagError as error:
        raise ValueError(f"argument bag: {error}") from None
    seen = [_node_values(table, found) for table in tables]
    nodes = [
        node_start(table, share, values, essential=True)
        for table, values in zip(tables, seen, strict=True)
    ]
    if value["rviz"] == "true":
        nodes.append(_rviz(tables, share, seen))
    commands = [_player(value, played)]
    path = value["record"] or _new_folder(value["bag"])
    if path != "none":
        commands.insert(0, _recorder(path, recorded, value["use_sim_time"] == "true"))
    return Plan(tuple(nodes), tuple(commands))


def outputs(table: LaunchTable, value: Values) -> list[str]:
    """Return the full names of everything that a node publishes under its own name."""
    base = home({**value, "name": table.executable})
    return [f"{base}/{topic.short}" for topic in TOPICS[table.executable] if topic.own_output]


def _of_bag(value: Values, tables: Iterable[LaunchTable]) -> dict[str, str]:
    """Return the arguments with what the bag says: camera, calibration, transport, frame."""
    with BagReader(value["bag"], on_warning=lambda text: None) as reader:
        name = value["image"] or None
        if name is not None and name not in reader.topics:
            name = f"{name}/compressed"
        topic = camera_topic(reader, name)
        info = value["camera_info"] or info_topic(reader, topic) or ""
        if DEPTH in tables and info not in reader.topics:
            raise BagError(f"{reader.path} has no camera_info {info}: depth needs a calibration")
        first = next(iter(reader.messages([topic])))
        frame = value["fixed_frame"] or read_header(first.data).frame_id
        packed = reader.topics[topic].type == COMPRESSED
    image = topic.removesuffix("/compressed") if packed else topic
    transport = "compressed" if packed else "raw"
    bag = {"image": image, "camera_info": info, "image_transport": transport}
    return {**value, **bag, "fixed_frame": frame}


def _node_values(table: LaunchTable, value: Values) -> dict[str, str]:
    """Return the arguments of one node's own launch file."""
    kind = table.executable.removesuffix("_node")
    own = {name: default or "" for name, default, _text in table.arguments}
    known = {name: value[name] for name in table.names if name in value}
    return {**own, **known, "params_file": value[f"{kind}_params_file"], "name": table.executable}


def _rviz(tables: tuple[LaunchTable, ...], share: Path, seen: list[dict[str, str]]) -> NodeStart:
    """Return RViz with the displays of all nodes; the camera is the same for all."""
    pairs = [
        pair for t, values in zip(tables, seen, strict=True) for pair in rviz_remaps(t, values)
    ]
    config = tables[0].rviz if len(tables) == 1 else REPLAY_RVIZ
    return rviz_start(config, share, seen[0], tuple(dict.fromkeys(pairs)))


def _played(bag: str, recorded: list[str]) -> list[str]:
    """Return the topics to play: not what the nodes publish now, and no older /diagnostics."""
    with BagReader(bag, on_warning=lambda text: None) as reader:
        return [name for name in reader.topics if name not in (*recorded, "/diagnostics")]


def _player(value: Values, topics: list[str]) -> CommandStart:
    words = ["play", value["bag"], "--wait", _PATIENCE, "--rate", value["bag_rate"]]
    words += ["--start", value["bag_start"]]
    if value["bag_duration"]:
        words += ["--duration", value["bag_duration"]]
    linger = float(value["linger"])
    return CommandStart("zeroco_play", verb(*words, "--topics", *topics), then_end=linger)


def _recorder(path: str, topics: list[str], sim_time: bool) -> CommandStart:
    words = ["record", *topics, "/diagnostics", "--out", path]
    if sim_time:
        words.append("--sim-time")
    return CommandStart("zeroco_record", verb(*words), essential=True)


def _new_folder(bag: str) -> str:
    """Return a name beside which nothing stands: <bag>_replayed_<date>_<time>."""
    name = Path(bag).resolve().name.split(".")[0]
    return f"{name}_replayed_{time.strftime('%Y%m%d_%H%M%S')}"
