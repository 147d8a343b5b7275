"""Settings in, objects assembled, run started."""
