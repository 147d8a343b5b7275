"""Figures, baselines and pages that every ``evaluate`` shares."""
