"""The models: the contract that all of them fulfil, their layers, and one file a model."""
