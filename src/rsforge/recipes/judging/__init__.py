"""How good the best model of a training is, on data that chose nothing, beside its baselines."""
