"""``rsforge hsi evaluate``: what is measured, of which stages, and what is shown of it."""
