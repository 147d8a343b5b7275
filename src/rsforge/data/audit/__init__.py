"""Judging a data set: what is wrong with its files, pairs and registration."""
