"""`vrnn train MODEL`: one command a model, its flags made of the model's config and of TrainConfig."""

import os
from collections.abc import Callable
from dataclasses import MISSING, asdict, field, fields, make_dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.conf import FlagCreatePairsOff, Positional

from vrnn.cli.data import ColumnFlags, Group, read
from vrnn.cli.outputs import check_outputs
from vrnn.cli.runs import remember_columns
from vrnn.cli.summary import summary
from vrnn.models import KINDS
from vrnn.training.config import TrainConfig
from vrnn.training.fit import train as fit
from vrnn.training.trackers import read_metrics

WIDTHS = ("x_dim", "u_dim", "y_dim")  # taken from the data
HELP = {
    "emission": "family of the emission: gaussian, full_gaussian, mixture(5), student_t, bernoulli, nade(100) or categorical(3); "
    "several are joined with + and their columns, as in mixture(5):2+bernoulli:1."
}


def train_command(kind: str) -> Callable[..., None]:
    """Make the command that trains one kind of model."""
    config = KINDS[kind][0]
    Settings = model_settings(config)

    def train(
        data: Positional[Path],
        *,
        out: Path,
        val: Path | None = None,
        val_group: Group = "",
        resume: FlagCreatePairsOff[bool] = False,
        plot: Path | None = None,
        model: Settings = Settings(),  # noqa: B008 (frozen, made above)
        training: TrainConfig = TrainConfig(),  # noqa: B008 (frozen)
        columns: ColumnFlags = ColumnFlags(),  # noqa: B008 (frozen)
    ) -> None:
        check_outputs(None, plot)
        tracks = read(data, columns)
        same = tracks.u_names if columns.u else ()  # the same kinds in both
        seen = replace(columns, group=val_group or columns.group, u=same)
        source = val or (data if val_group else None)
        held_out = None if source is None else read(source, seen)
        chosen = config(x_dim=tracks.x_dim, **asdict(model))
        run = fit(chosen, tracks, training, out=out, val=held_out, resume=resume)
        if int(os.environ.get("RANK", "0")):
            return  # under torchrun the first process speaks
        remember_columns(out, columns.columns())
        records = read_metrics(out / "metrics.jsonl")
        if plot is not None:
            from vrnn.plots import plot_training

            plot_training(records, plot, title=f"{kind}: {out}")
        shown = (
            (tracks, data, columns)
            if held_out is None or source is None
            else (held_out, source, seen)
        )
        print(summary(run.model, records, *shown, out, unseen=held_out is not None))

    train.__doc__ = f"""Train a {KINDS[kind][1].__name__} on tracks.

    To go on with a run that was stopped, give the same command with --resume.

    Args:
        data: tracks, a file or a folder of files.
        out: run folder to write.
        val: tracks to validate on; a share of DATA (--holdout) when None, or DATA itself with --val-group.
        val_group: the set to validate on, of an archive that holds several.
        resume: go on from where the run in OUT was stopped, to the weights that an uninterrupted run would have had.
        plot: picture of the training curves to write, .png, .pdf or .svg.
        model: the model.
        training: of training.
        columns: of the data.
    """
    return train


def model_settings(config: type) -> Any:
    """Make a dataclass of a model's settings without the widths, which the data gives."""
    kept = [f for f in fields(config) if f.name not in WIDTHS]
    parts = []
    for f in kept:
        default = field(default=f.default) if f.default is not MISSING else field()
        kind = Annotated[f.type, tyro.conf.arg(help=HELP[f.name])] if f.name in HELP else f.type  # type: ignore (a type at run time)
        parts.append((f.name, kind, default))
    return make_dataclass("Settings", parts, namespace={"__doc__": config.__doc__}, frozen=True)
