"""Learned heads: from the backbone's cost volume and features to flow finer than a patch."""
