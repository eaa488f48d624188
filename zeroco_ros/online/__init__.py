"""A camera's messages as they come, by their fields: what nodes and replay do with them."""
