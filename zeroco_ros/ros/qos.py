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
One QoS vocabulary: default profiles, overrides by parameter, and events that say what is wrong.

Overrides have the names that rclpy's qos_overriding_options gives them, keyed by the resolved
topic: `qos_overrides./camera/image.subscription.reliability: reliable`. They are declared when
the node configures, so that a nonsense value is refused before anything subscribes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    qos_policy_name_from_kind,
    QoSProfile,
    ReliabilityPolicy,
)

from zeroco_ros.errors import ConfigError

try:  # Iron and later
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

Kind = Literal["subscription", "publisher"]
POLICIES: dict[str, Any] = {
    "history": HistoryPolicy,
    "reliability": ReliabilityPolicy,
    "durability": DurabilityPolicy,
}
CHOICES = {
    "history": ("keep_last", "keep_all"),
    "reliability": ("best_effort", "reliable"),
    "durability": ("volatile", "transient_local"),
}
MAX_DEPTH = 1000
INPUT_DEPTH = 5


def input_profile(depth: int = INPUT_DEPTH) -> QoSProfile:
    """Sensor data: best effort, volatile, the newest `depth`."""
    return _profile(ReliabilityPolicy.BEST_EFFORT, depth)


def output_profile() -> QoSProfile:
    """Results: reliable, volatile, the newest five."""
    return _profile(ReliabilityPolicy.RELIABLE, depth=5)


def publisher_profile(node: Node, topic: str, latched: bool) -> QoSProfile:
    """Of an output, with its overrides. latched: the newest one, for those too who come later."""
    profile = output_profile()
    if latched:
        profile.depth, profile.durability = 1, DurabilityPolicy.TRANSIENT_LOCAL
    return overridden(node, topic, "publisher", profile)


def _profile(reliability: ReliabilityPolicy, depth: int) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=reliability,
        durability=DurabilityPolicy.VOLATILE,
    )


def overridden(node: Node, topic: str, kind: Kind, profile: QoSProfile) -> QoSProfile:
    """
    Declare the override parameters of one topic and return `profile` with them applied.

    topic: as the code names it (it is resolved and remapped here). Raises ConfigError that names
    the parameter, the value and what is allowed.
    """
    prefix = f"qos_overrides.{node.resolve_topic_name(topic)}.{kind}"
    for policy, choices in CHOICES.items():
        current = getattr(profile, policy).name.lower()
        text = f"{policy} of this {kind}; one of {', '.join(choices)}"
        value = _declared(node, f"{prefix}.{policy}", current, text)
        if value not in choices:
            raise ConfigError(
                f"parameter {prefix}.{policy} is '{value}': use one of {', '.join(choices)}"
            )
        setattr(profile, policy, POLICIES[policy][value.upper()])
    depth = _declared(node, f"{prefix}.depth", profile.depth, f"depth of this {kind}'s queue")
    if not 1 <= depth <= MAX_DEPTH:
        raise ConfigError(f"parameter {prefix}.depth is {depth}: use 1 to {MAX_DEPTH}")
    profile.depth = depth
    return profile


def _declared(node: Node, name: str, default: str | int, text: str) -> Any:
    if not node.has_parameter(name):
        descriptor = ParameterDescriptor(description=text, read_only=True)
        try:
            node.declare_parameter(name, default, descriptor)
        except InvalidParameterTypeException as error:
            raise ConfigError(f"parameter {name}: {error}") from error
    return node.get_parameter(name).value


def subscription_events(topic: str, report: Callable[[str], None]) -> SubscriptionEventCallbacks:
    """Events of one input: `report` gets one line when a publisher offers an incompatible QoS."""

    def incompatible(event: Any) -> None:
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        report(
            f"{topic}: a publisher offers an incompatible {policy}; nothing arrives from it. "
            f"Set qos_overrides.{topic}.subscription.{_parameter_of(policy)} to match it"
        )

    return SubscriptionEventCallbacks(incompatible_qos=incompatible)


def publisher_events(
    topic: str, report: Callable[[str], None], matched: Callable[[], None]
) -> PublisherEventCallbacks:
    """
    Events of one output.

    Incompatible subscribers are reported, `matched` is called on every change of the subscribers
    where the distribution knows that event (from Jazzy on).
    """

    def incompatible(event: Any) -> None:
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        report(
            f"{topic}: a subscriber asks for an incompatible {policy}; it receives nothing. "
            f"Set qos_overrides.{topic}.publisher.{_parameter_of(policy)} to match it"
        )

    try:
        return PublisherEventCallbacks(
            incompatible_qos=incompatible, matched=lambda _event: matched()
        )
    except TypeError:  # Humble and Iron: the caller polls
        return PublisherEventCallbacks(incompatible_qos=incompatible)


def _parameter_of(policy_name: str) -> str:
    """`RELIABILITY_QOS_POLICY` or `RELIABILITY` -> reliability."""
    return policy_name.lower().removesuffix("_qos_policy")
