"""SAR radiometry: units, ranges and their conversion."""
