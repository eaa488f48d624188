"""What is peculiar to flow_node: its parameters, inputs, job and outputs."""
