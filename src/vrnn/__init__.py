"""Variational recurrent networks for trajectories and other sequences.

Importing this package loads the standard library alone. Each name below loads what it needs on
first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from vrnn.models.registry import REGISTRY

_HOMES = {
    "Columns": "vrnn.data.io",
    "read_tracks": "vrnn.data.io",
    "Tracks": "vrnn.data.tracks",
    "Batch": "vrnn.data.batch",
    "windows": "vrnn.data.windows",
    "regular": "vrnn.data.resample",
    "tidy": "vrnn.data.tidy",
    "concatenate": "vrnn.data.tracks",
    "describe": "vrnn.data.describe",
    "Crossroads": "vrnn.data.synthetic",
    "Pendulum": "vrnn.data.synthetic",
    "TransformConfig": "vrnn.data.transforms",
    "AugmentConfig": "vrnn.training.config",
    "TrainConfig": "vrnn.training.config",
    "ModesConfig": "vrnn.models.modes",
    "fit_modes": "vrnn.training.modes",
    "predict_modes": "vrnn.tasks.modes",
    "train": "vrnn.training.fit",
    "load": "vrnn.training.shipped",
    "forecast": "vrnn.tasks.forecast",
    "generate": "vrnn.tasks.generate",
    "encode": "vrnn.tasks.encode",
    "evaluate": "vrnn.tasks.evaluate",
    "initial_belief": "vrnn.tasks.observe",
    "observe": "vrnn.tasks.observe",
    "filter_tracks": "vrnn.tasks.filtering",
    "predictive": "vrnn.tasks.predictive",
    "latent_use": "vrnn.tasks.latent_use",
    "likelihood": "vrnn.tasks.likelihood",
    "reliability": "vrnn.tasks.reliability",
    "mixture": "vrnn.tasks.mixture",
    "score": "vrnn.tasks.score",
    "impute": "vrnn.tasks.impute",
    "backend": "vrnn.ops.backend",
    "Model": "vrnn.models.contract",
    "GlobalLatentModel": "vrnn.models.contract",
    "ModelConfig": "vrnn.models.config",
    "elbo": "vrnn.objectives",
    "iwae": "vrnn.objectives",
    "fivo": "vrnn.objectives",
    "BoundConfig": "vrnn.objectives",
    "VrnnError": "vrnn.errors",
    "VrnnWarning": "vrnn.errors",
}
for _found in REGISTRY.values():
    _HOMES |= {_found.name: _found.module, f"{_found.name}Config": _found.module}

__version__ = "0.1.0"
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'vrnn' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)


if TYPE_CHECKING:
    from vrnn.data.batch import Batch
    from vrnn.data.describe import describe
    from vrnn.data.io import Columns, read_tracks
    from vrnn.data.resample import regular
    from vrnn.data.synthetic import Crossroads, Pendulum
    from vrnn.data.tracks import Tracks, concatenate
    from vrnn.data.transforms import TransformConfig
    from vrnn.data.windows import windows
    from vrnn.errors import VrnnError
    from vrnn.models.config import ModelConfig
    from vrnn.models.contract import GlobalLatentModel, Model
    from vrnn.models.dmm import DMM, DMMConfig
    from vrnn.models.modes import ModesConfig
    from vrnn.models.rnn import RNN, RNNConfig
    from vrnn.models.rollout import RolloutVAE, RolloutVAEConfig
    from vrnn.models.rssm import RSSM, RSSMConfig
    from vrnn.models.seq2seq import Seq2SeqVAE, Seq2SeqVAEConfig
    from vrnn.models.srnn import SRNN, SRNNConfig
    from vrnn.models.storn import STORN, STORNConfig
    from vrnn.models.vrnn import VRNN, VRNNConfig
    from vrnn.objectives import BoundConfig, elbo, fivo, iwae
    from vrnn.ops.backend import backend
    from vrnn.tasks.encode import encode
    from vrnn.tasks.evaluate import evaluate
    from vrnn.tasks.filtering import filter_tracks
    from vrnn.tasks.forecast import forecast
    from vrnn.tasks.generate import generate
    from vrnn.tasks.impute import impute
    from vrnn.tasks.latent_use import latent_use
    from vrnn.tasks.likelihood import likelihood
    from vrnn.tasks.mixture import mixture
    from vrnn.tasks.modes import predict_modes
    from vrnn.tasks.observe import initial_belief, observe
    from vrnn.tasks.predictive import predictive
    from vrnn.tasks.reliability import reliability
    from vrnn.tasks.score import score
    from vrnn.training.config import AugmentConfig, TrainConfig
    from vrnn.training.fit import train
    from vrnn.training.modes import fit_modes
    from vrnn.training.shipped import load
