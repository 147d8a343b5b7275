"""The kitchen: settings in, objects assembled, run started."""
