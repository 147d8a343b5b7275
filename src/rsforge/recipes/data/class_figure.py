"""A figure with samples of each class."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw

from rsforge.data.captions.resize import resize_to_square
from rsforge.data.images.class_folders import ClassIndex
from rsforge.data.io.image_reader import decode_rgb, read_bytes

SAMPLES = 3
SIZE = 128


def draw_class_figure(index: ClassIndex, names: Mapping[int, str]) -> bytes:
    """The contents of a PNG with a row of samples for each class, and its name on the first."""
    # Imports torch, which nothing else of this command needs.
    from rsforge.data.io.image_writer import arrange_grid, encode_image

    samples = np.zeros((len(names), SAMPLES, SIZE, SIZE, 3), np.uint8)
    for row, number in enumerate(index.numbers):
        own = [image for image in index.images if image.number == number]
        for column, image in enumerate(own[:SAMPLES]):
            sample = resize_to_square(Image.fromarray(decode_rgb(read_bytes(image.path))), SIZE, "crop")
            if column == 0:
                ImageDraw.Draw(sample).text((4, 2), names[number], "white", stroke_width=1, stroke_fill="black")
            samples[row, column] = np.asarray(sample)
    return encode_image(arrange_grid(samples.reshape(-1, SIZE, SIZE, 3), SAMPLES), ".png")
