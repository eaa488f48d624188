"""Hostile traffic from a seed at a live node, and what must hold all the while."""
