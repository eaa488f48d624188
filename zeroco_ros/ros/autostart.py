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

"""A managed node that manages itself, so that `ros2 run` just works."""

from __future__ import annotations

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn


class Autostart:
    """
    Configures and activates `node` once, as soon as its executor spins.

    A lifecycle manager may come first: the node's state is asked right before. When configuring
    fails the node stays unconfigured and alive, to be tried again through its services.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        # A steady clock: with use_sim_time and no /clock the node must start all the same.
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(0.0, self._start, clock=clock)

    def _start(self) -> None:
        self._timer.cancel()
        self._node.destroy_timer(self._timer)
        if self._node.state != "unconfigured":
            return
        if self._node.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self._node.trigger_activate()
        elif not self._node.stopping:
            name = self._node.get_fully_qualified_name()
            self._node.get_logger().error(
                f"not started; correct the cause and run: ros2 lifecycle set {name} configure"
            )
