"""What files say of the bands of a cube, in the spellings of many programs."""
