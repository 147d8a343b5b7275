"""Tensor to tensor, with weights; plain keyword arguments."""
