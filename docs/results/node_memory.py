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
Memory of flow_node while a camera of 640x480 sends it images at 30 Hz, whatever it drops.

python3 docs/results/node_memory.py [IMAGES]: prints a line per 500 images and the summary.
"""

from __future__ import annotations

from pathlib import Path
import subprocess
import sys
import time

import numpy as np
import psutil
import rclpy
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image

from zeroco_ros.ros.environment import child_environment

WIDTH, HEIGHT, RATE, NAMESPACE = 640, 480, 30.0, "/node_memory"
WARM = 0.1  # share of the images before memory is judged
COMMAND = [sys.executable, "-m", "zeroco_ros.ros.flow_node", "--ros-args", "-r"]
PARAMETERS = ["-p", "preset:=fast", "-p", "threads:=1"]


def main() -> int:
    """Send the images, and print memory in MB (resident, psutil) and answers."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    rclpy.init()
    node = rclpy.create_node("camera", namespace=NAMESPACE)
    camera = node.create_publisher(Image, "image", 2)
    answers: list[int] = []
    node.create_subscription(Image, "flow_node/flow", lambda message: answers.append(1), 10)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    environment = child_environment()
    with subprocess.Popen([*COMMAND, f"__ns:={NAMESPACE}", *PARAMETERS], env=environment) as child:
        try:
            while camera.get_subscription_count() == 0 and child.poll() is None:
                executor.spin_once(0.1)
            memory = send(camera, executor, psutil.Process(child.pid), count, answers)
        finally:
            child.terminate()
    warm = np.array(memory[int(WARM * count) :])
    first, second = np.array_split(warm, 2)
    print(
        f"{count} images at {RATE:g} Hz, {len(answers)} answered; MB after the first tenth: "
        f"{warm.min():.1f} to {warm.max():.1f}, mean of the halves {first.mean():.1f} and "
        f"{second.mean():.1f}; load {Path('/proc/loadavg').read_text().split()[0]}"
    )
    return 0


def send(
    camera: object,
    executor: SingleThreadedExecutor,
    process: psutil.Process,
    count: int,
    answers: list[int],
) -> list[float]:
    """Publish on time; the memory after each image, in MB."""
    texture = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH + 64, 3), dtype=np.uint8)
    memory, began = [], time.monotonic()
    for index in range(count):
        shift = 2 * index % 64
        image = Image(height=HEIGHT, width=WIDTH, encoding="rgb8", step=3 * WIDTH)
        image.header.stamp.sec, image.header.stamp.nanosec = divmod(
            (index + 1) * 33_333_333, 10**9
        )
        image.data = texture[:, shift : shift + WIDTH].tobytes()
        camera.publish(image)  # type: ignore[attr-defined]
        memory.append(process.memory_info().rss / 1e6)
        if index % 500 == 0:
            print(f"{index} images, {len(answers)} answers, {memory[-1]:.1f} MB", flush=True)
        while time.monotonic() < began + (index + 1) / RATE:
            executor.spin_once(0.002)
    return memory


if __name__ == "__main__":
    sys.exit(main())
