"""Generative remote sensing: prepare, train, sample, evaluate and map with one engine."""

__version__ = "0.1.0"
