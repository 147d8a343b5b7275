"""Readers, writers, georeference and safe paths that every kind of data uses."""
