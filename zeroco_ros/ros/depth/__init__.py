"""What is peculiar to depth_node: its parameters, camera, poses, inputs, job and outputs."""
