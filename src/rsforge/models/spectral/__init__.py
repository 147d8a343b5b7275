"""From a few bands to many, and from coarse pixels to fine ones."""
