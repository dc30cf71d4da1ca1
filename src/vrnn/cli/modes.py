"""`vrnn modes`: k futures that cover what may happen."""

from pathlib import Path

from vrnn.cli.data import ColumnFlags, read
from vrnn.cli.outputs import check_outputs
from vrnn.cli.runs import Run, trained_columns
from vrnn.errors import Function, UnsupportedError
from vrnn.models.modes import ModesConfig
from vrnn.training.modes import fit_modes
from vrnn.training.run_folder import load
from vrnn.training.shipped import is_shipped


def modes(
    data: Path,
    /,
    *,
    model: Run,
    val: Path | None = None,
    mode_set: ModesConfig = ModesConfig(),  # noqa: B008 (frozen)
    columns: ColumnFlags = ColumnFlags(),  # noqa: B008 (frozen)
) -> None:
    """Train a mode set: k futures of which one is to be near whatever happens.

    The model of the run stays as it is. vrnn forecast --modes writes the futures. vrnn evaluate
    --selection modes measures the best of them.

    Args:
        data: tracks, a file or a folder of files, as a rule those of the training.
        model: run folder that vrnn train wrote. The mode set is kept in it and replaces an earlier
            one.
        val: tracks that choose the weights; None takes a share of DATA, as the run did.
        mode_set: of the mode set and its training.
        columns: of the data.
    """
    if is_shipped(model):
        raise UnsupportedError(
            f"{model} has no folder to keep a mode set in",
            hint=(
                "take clusters of the samples of a forecast with --clusters, or train a model of "
                "your own with ",
                Function("train"),
            ),
        )
    check_outputs(run=model, data=[data, val])
    trained = load(model, modes=False)
    named = trained_columns(model, trained)
    held_out = None if val is None else read(val, columns, named)
    fit_modes(read(data, columns, named), model=trained, config=mode_set, val=held_out, out=model)
    print(
        f"{model}: has a mode set of {mode_set.count} futures of {mode_set.horizon} time steps; "
        f"see: vrnn forecast DATA --model {model} --modes --out FILE"
    )
