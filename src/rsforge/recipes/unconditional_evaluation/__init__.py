"""``rsforge diffusion evaluate-unconditional``: denoising of held-out images, and samples, beside closed forms."""
