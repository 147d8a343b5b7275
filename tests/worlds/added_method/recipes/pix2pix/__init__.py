"""``rsforge pix2pix``: one file a command."""
