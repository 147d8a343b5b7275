"""How it is trained: one loop that knows steps, optimizers and precision, and no method."""
