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

"""The counters of depth_node; nothing here imports rclpy."""

from __future__ import annotations

from collections.abc import Mapping

from zeroco_ros.ros import metrics

COUNTERS: Mapping[str, str] = {
    **metrics.COUNTERS,
    "no_camera_info": "images dropped for want of a (fitting) camera_info",
    "no_pose": "images that went on without the pose that they should have",
    "camera_changes": "times that one camera followed another",
    "keyframes": "images that became key frames",
    "restarts": "times that tracking began anew, with another origin and, where relative, "
    "another unit",
    "without_result": "images that nothing can be said about, as the first one",
}
ENDS = (*metrics.ENDS, "no_camera_info", "without_result")
