"""The `model` argument of every task: a trained model, or the path of its run folder."""

from os import PathLike
from pathlib import Path

from vrnn.errors import ConfigError, Function
from vrnn.trained import TrainedModel
from vrnn.training.run_folder import load

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
    is_run = isinstance(getattr(model, "model", None), TrainedModel)
    raise ConfigError(
        setting="model",
        expected="a trained model or the path of a run folder",
        found=type(model).__name__,
        cause=(Function("train"), " returns a run") if is_run else "",
        hint="pass its .model" if is_run else "",
    )
