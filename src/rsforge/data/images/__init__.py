"""Folders of images: tiles, classes, augmentation."""
