"""Dividing a data set into train, validation and test without leaks."""
