"""``rsforge data``: one file a command."""
