"""From settings and files to the datasets of a run."""
