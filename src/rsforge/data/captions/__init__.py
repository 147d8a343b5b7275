"""Captioned images: tables, Parquet, image folders."""
