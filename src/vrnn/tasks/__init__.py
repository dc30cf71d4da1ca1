"""What a trained model can be used for: one module for each task."""
