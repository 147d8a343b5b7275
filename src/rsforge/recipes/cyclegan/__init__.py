"""``rsforge cyclegan``: one file a command."""
