"""Frames over time: pairs, key frames, and who works on the newest one. No ROS here."""

from zeroco_ros.stream.pairing import Pair, PairingCounters, TemporalPairer
from zeroco_ros.stream.window import KeyframeWindow
from zeroco_ros.stream.worker import LatestWorker

__all__ = ["KeyframeWindow", "LatestWorker", "Pair", "PairingCounters", "TemporalPairer"]
