"""Drawn data sets of every kind, a pure function of the seed."""
