"""Pretrained text-to-image models: loaded whole, drawn with, and written for other programs."""
