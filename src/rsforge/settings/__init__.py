"""What the user may say: frozen, strict pydantic models, free of torch."""
