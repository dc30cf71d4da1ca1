"""Errors and proper scores of forecasts, and clusters of sampled paths."""
