"""``rsforge vae``: one file a command."""
