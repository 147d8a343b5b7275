"""``rsforge sample``: one file a kind of sample."""
