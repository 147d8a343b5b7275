"""``rsforge diffusion``: one file a command."""
