"""`zeroco bench`: how fast this machine runs what the package does, side by side in one run."""
