"""``rsforge diffusion evaluate-text``: what text-to-image models draw for held-out captions, measured."""
