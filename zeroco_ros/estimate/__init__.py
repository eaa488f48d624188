"""The public Python face: two images in, dense correspondence out."""
