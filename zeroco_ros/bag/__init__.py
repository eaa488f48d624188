"""rosbag2 files without ROS: reading (damaged ones too), writing, pacing."""
