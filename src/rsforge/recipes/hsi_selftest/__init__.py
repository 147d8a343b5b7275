"""``rsforge hsi selftest``: both stages on small images, before a training."""
