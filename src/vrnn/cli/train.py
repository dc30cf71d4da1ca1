"""`vrnn train`: its flags are made of the architecture's config and of TrainConfig."""

import math
import os
import shlex
from collections.abc import Callable, Collection, Sequence
from dataclasses import MISSING, asdict, field, fields, make_dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from cyclopts import Parameter

from vrnn.cli.data import ColumnFlags, GroupName, read, read_regular
from vrnn.cli.held_out import held_out_table
from vrnn.cli.outputs import check_outputs
from vrnn.cli.runs import remember_columns
from vrnn.cli.summary import summary
from vrnn.console import say
from vrnn.data.describe import outliers
from vrnn.data.tracks import Tracks
from vrnn.data.transforms import TransformConfig
from vrnn.data.wording import plural
from vrnn.distributions.parse import EXAMPLES
from vrnn.distributions.parse_latent import EXAMPLES as LATENTS
from vrnn.errors import ConfigError, Setting
from vrnn.models.config import ModelConfig
from vrnn.models.registry import REGISTRY, name_of
from vrnn.training.budget import MINUTES, steps_within
from vrnn.training.choose import chosen_families
from vrnn.training.choose_training import choose_training, validate_every
from vrnn.training.choose_transform import choose_transform, trial_steps
from vrnn.training.config import TrainConfig
from vrnn.training.fit import SCRATCH, from_scratch
from vrnn.training.fit import train as fit
from vrnn.training.resolve import resolve_model
from vrnn.training.resume import check_folder
from vrnn.training.run_folder import read_settings
from vrnn.training.shipped import SHIPPED, usual_start
from vrnn.training.splits import hold_out
from vrnn.training.trackers import read_metrics

USUAL = "vrnn"
CHOSEN = ("emission", "latent", "latent_dim")  # for the data, where they are not given
WIDTHS = ("x_dim", "u_dim", "y_dim")  # taken from the data
HELP = {
    "emission": f"family of the emission: {', '.join(EXAMPLES[:-1])} or {EXAMPLES[-1]}. Several are"
    " joined with + and their columns, as in mixture(5):2+bernoulli:1. Chosen for the data where"
    " none is given.",
    "latent": f"family of the latent: {LATENTS}. Chosen for the data where none is given.",
}


def chosen_arch(words: Sequence[str]) -> str:
    """Return the architecture that the words name; the usual one where they name none.

    >>> chosen_arch(["walks.csv", "--arch", "srnn"]), chosen_arch(["--arch=rnn"])
    ('srnn', 'rnn')
    >>> chosen_arch(["walks.csv", "--arch"])
    'vrnn'
    """
    named = [after for word, after in pairwise(words) if word == "--arch"]
    named += [word.partition("=")[2] for word in words if word.startswith("--arch=")]
    return named[0] if named and named[0] in REGISTRY else USUAL


def train_command(kind: str, words: Sequence[str] = ()) -> Callable[..., None]:
    """Return the command that trains one architecture.

    Args:
        kind: the architecture.
        words: the words of the command line. They show which settings were given, even with their
            default values.
    """
    config_type = REGISTRY[kind].config
    named = named_settings(words)
    Settings = model_settings(config_type)

    def train(
        data: Path,
        /,
        *,
        out: Path,
        arch: Literal[tuple(REGISTRY)] = kind,  # type: ignore (a type at run time)
        val: Path | None = None,
        val_group: GroupName = "",
        start: Annotated[Path | None, Parameter(name="--from", metavar="RUN")] = None,
        resume: bool = False,
        plot: Path | None = None,
        minutes: float | None = None,
        model: Settings = Settings(),  # noqa: B008 (frozen, made above)
        training: TrainConfig = TrainConfig(),  # noqa: B008 (frozen)
        columns: ColumnFlags = ColumnFlags(),  # noqa: B008 (frozen)
    ) -> None:
        check_folder(out, resume)
        check_outputs(plot=plot, run=out, data=[data, val], runs=[start])

        def bring(source: Path, flags: ColumnFlags, step: float | None = None) -> Tracks:
            if training.time_input:
                return read(source, flags)
            return read_regular(source, flags, step=step)

        tracks = bring(data, columns)
        same = tracks.u_names if columns.u else ()  # the same kinds in both
        seen = replace(columns, group=val_group or columns.group, u=same)
        source = val or (data if val_group else None)
        held_out = None if source is None else bring(source, seen, tracks.step)
        own = changed_settings(kind, asdict(model))
        scratch = from_scratch(start)
        if start is not None and not scratch:
            refuse_settings(kind, own, start)
        usual = start is None and kind == USUAL and not own
        begins = (
            usual_start(tracks, training, held_out) is not None
            if usual
            else bool(start) and not scratch
        )
        chosen: dict[str, str] = {}
        config = None
        if not begins:
            given = {name: value for name, value in asdict(model).items() if value is not None}
            chosen = chosen_families(tracks, config_type, given)
            config = config_type(x_dim=tracks.x_dim, **given, **chosen)
        settings, reasons = training, []
        if resume and (out / "config.json").is_file():
            settings = _as_begun(out, training, named)
        elif not begins:
            settings, reasons = chosen_training(tracks, config, training, held_out, minutes, named)
        fast, worst = outliers(tracks)
        if worst is not None:
            say(
                f"note: {plural(fast, 'outlier')} in speed, the fastest in track {worst.track} "
                f"up to time {worst.time:.10g}; see: vrnn doctor "
                f"{shlex.quote(str(data))}{columns.all_words()}"
            )
        for reason in reasons:
            say(f"note: chosen {reason}")
        run = fit(
            tracks,
            config=config,
            training=settings,
            out=out,
            val=held_out,
            start=None if start is None else str(start),
            resume=resume,
        )
        if int(os.environ.get("RANK", "0")):
            return  # under torchrun the first process speaks
        remember_columns(out, columns.columns())
        records = read_metrics(out / "metrics.jsonl")
        if plot is not None and not records:
            say(f"{plot}: not drawn, since no training step was taken")
        elif plot is not None:
            from vrnn.plots import plot_training

            plot_training(records, plot, title=f"{arch}: {out}")
        shown = tracks, data, columns
        if held_out is not None and source is not None:
            shown = held_out, source, seen
        unseen = held_out is not None
        spared = tracks[:0] if held_out is None else held_out
        if held_out is None and not begins:
            spared = hold_out(tracks, settings.holdout, settings.seed, [])[1]
        words = summary(
            run.model,
            records,
            *shown,
            out,
            unseen,
            run.latent_use,
            chosen,
            start="" if not begins else str(start or SHIPPED[0]),
            table=held_out_table(run.model, spared, out),
        )
        print(words)

    listed = "\n".join(f"    {name:<8} {found.help}" for name, found in REGISTRY.items())
    train.__doc__ = f"""Train a model on tracks; the model settings below are those of a {kind}.

    The same command with --resume goes on with a run that was stopped. Architectures (--arch):

{listed}

    Args:
        data: tracks, a file or a folder of files.
        out: run folder to write.
        arch: architecture; vrnn train --arch srnn --help lists the settings of an srnn.
        val: tracks to validate on; None takes a share of DATA (--holdout), or the set of
            --val-group.
        val_group: the set to validate on, of an archive that holds several.
        start: model to go on from, with its layers and coordinates: a run folder, tracks-2d or
            scratch, which means random weights. By default it is scratch. Fewer than 10 short tracks
            of positions get the weights of tracks-2d, the model that needs no training.
        resume: go on from where the run in OUT was stopped, to the weights that an uninterrupted
            run would have had.
        plot: picture of the training curves to write, .png, .pdf or .svg.
        minutes: time for training; the steps that fit into it are measured at the start. None is 3,
            or as long as --steps take. Under torchrun nothing is measured.
        model: the model.
        training: of training.
        columns: of the data.
    """
    return train


def named_settings(words: Sequence[str]) -> set[str]:
    """Return the settings that the words of a command line name.

    >>> sorted(named_settings(["a.csv", "--steps", "2000", "--no-causal", "--learning_rate=0.1"]))
    ['causal', 'learning_rate', 'steps']
    """
    flags = [word[2:].partition("=")[0] for word in words if word.startswith("--")]
    return {flag.replace("_", "-").removeprefix("no-").replace("-", "_") for flag in flags}


def chosen_training(
    tracks: Tracks,
    config: ModelConfig | None,
    given: TrainConfig,
    val: Tracks | None,
    minutes: float | None = None,
    named: Collection[str] = (),
) -> tuple[TrainConfig, list[str]]:
    """Return the settings of training for some data, and a reason for each that was chosen.

    Args:
        tracks: the training data.
        config: the model.
        given: the settings that a user gave.
        val: validation tracks; None holds some out.
        minutes: the time for training; None is 3, unless the steps are named.
        named: the settings that the user named.

    Raises:
        ConfigError: minutes that are not above 0.
    """
    if minutes is not None and not 0 < minutes < math.inf:
        raise ConfigError(setting="minutes", expected="a number above 0", found=f"{minutes:g}")
    settings, chosen = choose_training(tracks, given, val, named)
    together = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if minutes is not None and together:
        raise ConfigError(
            "processes that train together would each measure other steps",
            setting="minutes",
            expected="none under torchrun",
            found=f"{minutes:g}",
            hint=("name the ", Setting("steps")),
        )
    reasons, fits = list(chosen), settings.steps
    if not together and (minutes is not None or "steps" not in named):
        fits = steps_within(minutes or MINUTES, tracks, config, settings)
    limited = fits < settings.steps
    settings, compared = choose_transform(tracks, config, replace(settings, steps=fits), val, named)
    reasons += compared
    if limited:
        fits -= 2 * trial_steps(fits) if compared else 0
        settings = replace(settings, steps=fits)
        reasons = [reason for reason in reasons if not reason.startswith("--steps ")]
        reasons.append(f"--steps {fits}, which take about {minutes or MINUTES:g} minutes here")
    if settings.validate_every != given.validate_every:  # it was chosen
        settings = replace(settings, validate_every=validate_every(settings.steps))
        reasons.append(f"--validate-every {settings.validate_every}, ten times in all")
    return settings, reasons


def _as_begun(out: Path, given: TrainConfig, named: Collection[str]) -> TrainConfig:
    """Return the settings that a run began with, where the data or the time chose them."""
    begun, usual = read_settings(out).training, TrainConfig()
    names = ["steps", "window", "learning_rate", "validate_every", "patience"]
    if not {field.name for field in fields(TransformConfig)} & set(named):
        names.append("transform")
    kept = {
        name: getattr(begun, name)
        for name in names
        if name not in named and getattr(given, name) == getattr(usual, name)
    }
    return replace(given, **kept)


def refuse_settings(arch: str, given: dict[str, Any], start: Path) -> None:
    """Refuse settings of the model beside `--from`, which fixes them.

    Raises:
        ConfigError: names the first.
    """
    found = resolve_model(str(start)).config
    if arch != USUAL and type(found) is not REGISTRY[arch].config:
        raise ConfigError(
            setting="arch", expected=f"{name_of(found)} beside --from {start}", found=arch
        )
    for name, value in given.items():
        raise ConfigError(
            "training goes on from a model with its own layers",
            setting=name,
            expected=f"none beside --from {start}",
            found=value,
            hint=f"leave one of the two out, or train with --from {SCRATCH}",
        )


def changed_settings(arch: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a model that are not the defaults of its architecture."""
    usual = REGISTRY[arch].config(x_dim=1)
    return {
        name: value
        for name, value in given.items()
        if value is not None and (name in CHOSEN or value != getattr(usual, name))
    }


def model_settings(config: type) -> Any:
    """Return a dataclass of a model's settings without the widths, which the data gives."""
    types, parts = get_type_hints(config), []
    for f in fields(config):
        if f.name not in WIDTHS:
            kind, default = types[f.name], f.default
            if f.name in CHOSEN:  # None is told apart from the default of a config
                kind, default = kind | None, None
            if f.name in HELP:
                kind = Annotated[kind, Parameter(help=HELP[f.name])]
            parts.append((f.name, kind, f if default is MISSING else field(default=default)))
    named = f"{config.__name__.removesuffix('Config')} settings"
    return make_dataclass(
        named.replace(" ", "_"), parts, namespace={"__doc__": config.__doc__}, frozen=True
    )
