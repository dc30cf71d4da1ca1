"""Training: its settings, its data, the loop, run folders and what they report."""
