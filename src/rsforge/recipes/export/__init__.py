"""Writing networks in formats of other programs."""
