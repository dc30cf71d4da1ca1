"""Recurrences as functions of tensors, each in PyTorch and in C++ on the CPU, and the choice."""

from vrnn.ops.backend import backend
from vrnn.ops.gru_scan import gru_scan
from vrnn.ops.latent_scan import LatentChain, latent_scan
from vrnn.ops.lstm_scan import lstm_scan

__all__ = ["LatentChain", "backend", "gru_scan", "latent_scan", "lstm_scan"]
