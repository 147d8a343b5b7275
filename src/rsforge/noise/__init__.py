"""The diffusion process: schedules, conversions and weights as pure functions."""
