"""From a user's files to the tensors of a model: io, tracks, transforms, preprocessor, batch."""
