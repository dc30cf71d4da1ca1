"""Fast paths: for each model, how its layers map to the recurrences of `vrnn.ops`.

Importing this package fills the registry of `vrnn.inference.plans`.
"""

from vrnn.fastpath import causal, independent, markov, position, vrnn

__all__ = ["causal", "independent", "markov", "position", "vrnn"]
