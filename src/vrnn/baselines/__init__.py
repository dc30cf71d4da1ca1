"""Forecasts that take a few lines: what a model must beat before it is worth its training."""
