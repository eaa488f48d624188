"""One module per verb of the `zeroco` command: options here, the work in a room below."""
