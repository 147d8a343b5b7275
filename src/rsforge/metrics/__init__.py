"""How good it was: thin functions on tensors."""
