"""From disk to typed batch, and back."""
