"""The ROS 2 storey: nodes, messages, parameters. The only room that imports rclpy.

Importing anything from here first settles the process environment (see `environment`), because
the middleware reads it when rclpy starts.
"""

from zeroco_ros.ros import environment

environment.prepare()
