"""What every training command does around its own method."""
