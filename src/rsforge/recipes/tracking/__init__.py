"""Who follows a training: the clock, TensorBoard, W&B, and the plot of its losses."""
