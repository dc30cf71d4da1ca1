"""`vrnn modes`: teach a run k futures that cover what may happen."""

from pathlib import Path

from tyro.conf import Positional

from vrnn.cli.data import ColumnFlags, read
from vrnn.cli.runs import trained_columns
from vrnn.models.modes import ModesConfig
from vrnn.training.checkpoint import load
from vrnn.training.modes import fit_modes


def modes(
    run: Positional[Path],
    data: Positional[Path],
    *,
    val: Path | None = None,
    settings: ModesConfig = ModesConfig(),  # noqa: B008 (frozen)
    columns: ColumnFlags = ColumnFlags(),  # noqa: B008 (frozen)
) -> None:
    """Teach a run k futures of which one is to be near whatever happens, on the tracks of its training.

    The run's model stays as it is. vrnn forecast --learned writes such futures, vrnn evaluate --learned measures the best of them.

    Args:
        run: run folder that vrnn train wrote; the representatives are kept in it, in place of earlier ones.
        data: tracks, a file or a folder of files, those of the training as a rule.
        val: tracks that choose the weights; a share of DATA when None, as in the run's own training.
        settings: of the representatives and their training.
        columns: of the data.
    """
    run = run.expanduser()
    model = load(run, modes=False)
    named = trained_columns(run, model)
    held_out = None if val is None else read(val, columns, named)
    fit_modes(model, read(data, columns, named), settings, val=held_out, out=run)
    print(
        f"{run}: knows {settings.count} futures of {settings.horizon} rows; see: vrnn forecast {run} DATA --learned --out FILE"
    )
