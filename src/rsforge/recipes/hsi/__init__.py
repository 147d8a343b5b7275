"""``rsforge hsi``: one file a command."""
