"""Variational recurrent networks for trajectories and other sequences.

Importing this package imports torch, numpy and jaxtyping only; each name below loads what it needs on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING

_HOMES = {
    "Columns": "vrnn.data.readers",
    "read_tracks": "vrnn.data.readers",
    "Tracks": "vrnn.data.tracks",
    "windows": "vrnn.data.windows",
    "regular": "vrnn.data.windows",
    "concatenate": "vrnn.data.tracks",
    "describe": "vrnn.data.describe",
    "Crossroads": "vrnn.data.synthetic",
    "FrameConfig": "vrnn.data.frames",
    "RNNConfig": "vrnn.models.rnn",
    "Seq2SeqVAEConfig": "vrnn.models.seq2seq",
    "RolloutVAEConfig": "vrnn.models.rollout",
    "VRNNConfig": "vrnn.models.vrnn",
    "DMMConfig": "vrnn.models.dmm",
    "SRNNConfig": "vrnn.models.srnn",
    "STORNConfig": "vrnn.models.storn",
    "AugmentConfig": "vrnn.training.config",
    "TrainConfig": "vrnn.training.config",
    "RepresentativesConfig": "vrnn.models.representatives",
    "learn_representatives": "vrnn.training.representatives",
    "representatives": "vrnn.inference.representatives",
    "train": "vrnn.training.loop",
    "load": "vrnn.training.checkpoint",
    "forecast": "vrnn.inference.forecast",
    "generate": "vrnn.inference.generate",
    "encode": "vrnn.inference.encode",
    "evaluate": "vrnn.inference.evaluate",
    "initial_belief": "vrnn.inference.observe",
    "observe": "vrnn.inference.observe",
    "filter_tracks": "vrnn.inference.filtering",
    "predictive": "vrnn.inference.predictive",
    "likelihood": "vrnn.inference.likelihood",
    "calibration": "vrnn.inference.calibration",
    "mixture": "vrnn.inference.score",
    "score": "vrnn.inference.score",
    "impute": "vrnn.inference.impute",
    "VrnnError": "vrnn.errors",
}

__version__ = "0.1.0"
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'vrnn' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)


if TYPE_CHECKING:
    from vrnn.data.describe import describe
    from vrnn.data.frames import FrameConfig
    from vrnn.data.readers import Columns, read_tracks
    from vrnn.data.synthetic import Crossroads
    from vrnn.data.tracks import Tracks, concatenate
    from vrnn.data.windows import regular, windows
    from vrnn.errors import VrnnError
    from vrnn.inference.calibration import calibration
    from vrnn.inference.encode import encode
    from vrnn.inference.evaluate import evaluate
    from vrnn.inference.filtering import filter_tracks
    from vrnn.inference.forecast import forecast
    from vrnn.inference.generate import generate
    from vrnn.inference.impute import impute
    from vrnn.inference.likelihood import likelihood
    from vrnn.inference.observe import initial_belief, observe
    from vrnn.inference.predictive import predictive
    from vrnn.inference.representatives import representatives
    from vrnn.inference.score import mixture, score
    from vrnn.models.dmm import DMMConfig
    from vrnn.models.representatives import RepresentativesConfig
    from vrnn.models.rnn import RNNConfig
    from vrnn.models.rollout import RolloutVAEConfig
    from vrnn.models.seq2seq import Seq2SeqVAEConfig
    from vrnn.models.srnn import SRNNConfig
    from vrnn.models.storn import STORNConfig
    from vrnn.models.vrnn import VRNNConfig
    from vrnn.training.checkpoint import load
    from vrnn.training.config import AugmentConfig, TrainConfig
    from vrnn.training.loop import train
    from vrnn.training.representatives import learn_representatives
