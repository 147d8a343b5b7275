"""Views of images: which bands are read, in which range, and what counts as no data."""
