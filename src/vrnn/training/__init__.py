"""Training: its settings, the loop, checkpoints and the reports it writes."""
