"""From descriptors to correspondence: cost volume, read-out, flow, confidence, zoom-in."""
