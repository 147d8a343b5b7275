"""What is good: pure functions."""
