"""The `model` argument of every task: a trained model, or the path of its run folder."""

from os import PathLike
from pathlib import Path

from vrnn.errors import ConfigError
from vrnn.trained import TrainedModel
from vrnn.training.checkpoint import load

ModelOrFolder = TrainedModel | str | PathLike[str]


def resolve_model(model: ModelOrFolder) -> TrainedModel:
    """Return a trained model, read from its run folder where a path is given.

    Raises:
        ConfigError: neither a model nor a path.
        RunFolderError: the folder is not that of a run, or is damaged.
    """
    if isinstance(model, TrainedModel):
        return model
    if isinstance(model, str | PathLike):
        return load(Path(model))
    hint = ""
    if isinstance(getattr(model, "model", None), TrainedModel):
        hint = "; vrnn.train returns a run, and the model is its .model"
    raise ConfigError(
        "expected model= as a trained model or as the path of a run folder, "
        f"found {type(model).__name__}{hint}"
    )
