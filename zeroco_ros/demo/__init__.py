"""The demonstration: a bag, the flow node as a real process, what came out, and how good it is."""
