"""Dense correspondence (optical flow with confidence) and multi-frame depth for ROS 2."""

__version__ = "0.1.0"
