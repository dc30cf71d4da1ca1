"""Training a model on tracks: from settings and data to a run."""

from contextlib import nullcontext
from pathlib import Path

from vrnn.data.tracks import Tracks
from vrnn.files import user_path
from vrnn.models.config import ModelConfig
from vrnn.trained import TrainedModel
from vrnn.training.accelerator import make_accelerator
from vrnn.training.choose_training import choose_training
from vrnn.training.choose_transform import choose_transform
from vrnn.training.compatibility import check_tracks
from vrnn.training.config import TrainConfig
from vrnn.training.lock import locked
from vrnn.training.prepare import Prepared, prepare
from vrnn.training.resolve import ModelOrFolder, resolve_model
from vrnn.training.resume import check_folder
from vrnn.training.run import Run, run_prepared
from vrnn.training.run_folder import read_settings
from vrnn.training.shipped import usual_start
from vrnn.training.splits import FEWEST_TRACKS
from vrnn.training.trackers import Tracker

SCRATCH = "scratch"
"""The `start` of random weights."""


def train(
    tracks: Tracks,
    *,
    config: ModelConfig | None = None,
    training: TrainConfig | None = None,
    out: str | Path | None = None,
    val: Tracks | None = None,
    start: ModelOrFolder | None = None,
    resume: bool = False,
    tracker: Tracker | None = None,
    quiet: bool = False,
) -> Run:
    """Return a model trained by maximising the evidence lower bound.

    minimise  sum_i ( -log p(x_i | s_i) + w KL_i ) / (observed rows of the batch)

    over the sequences i of a batch, where w rises to 1 over `kl_warmup` steps. With
    `energy_weight` the loss has a second part from some step on. It is that weight times the
    mean energy score of the rows of futures that the model draws by itself.

    The widths of inputs and targets come from the tracks. Under `torchrun` every process takes
    its part of each batch. The losses are those of one process.

    Args:
        tracks: training data, in any units.
        config: the model; `x_dim` is the number of columns of x. None takes a VRNN
            whose emission and latent are chosen for the data.
        training: see `TrainConfig`. None takes its defaults. From random weights it also takes what
            the data asks for: kilometres for degrees, windows, the causal transform and early stopping.
        out: run folder to write; None writes nothing.
        val: validation tracks; None holds out a fraction of `tracks`.
        start: what training goes on from, a model, a run folder or "tracks-2d". Layers and
            coordinates are then those of that model. "scratch" starts from random weights. None
            does so too, but for fewer than 10 short tracks of positions in a plane without `val`,
            `config` and a window. They get the weights of "tracks-2d" as they are.
        resume: go on from the last state in the run folder. The weights come out as those of a
            run that nobody interrupted.
        tracker: gets every record of metrics.jsonl too.
        quiet: show no progress.

    Raises:
        ConfigError, DataError: settings or data that cannot work, before training starts.
        NonFiniteError: a loss or gradient that is not finite, with its step, term and track.
        RunFolderError: `out` holds a run already, one that cannot be resumed, or one that another
            training writes to.

    Example:
        >>> import numpy as np, vrnn
        >>> random = np.random.default_rng(0)
        >>> tracks = vrnn.Tracks(list(random.normal(size=(20, 12, 2)).cumsum(1)))
        >>> config, training = vrnn.RNNConfig(x_dim=2, hidden=8), vrnn.TrainConfig(steps=5)
        >>> run = vrnn.train(tracks, config=config, training=training, quiet=True)
        >>> run.model.config.hidden
        8
    """
    folder = None if out is None else user_path(out)
    check_folder(folder, resume)
    accelerator = make_accelerator()
    writes = folder is not None and accelerator.is_main_process
    with locked(folder) if writes else nullcontext():
        settings = training or TrainConfig()
        begins = starting_model(start, config, tracks, settings, val)
        if training is None and begins is None:
            check_tracks(tracks)
            if resume and folder is not None and (folder / "config.json").is_file():
                settings = read_settings(folder).training  # as they were chosen at the beginning
            else:
                settings = choose_training(tracks, settings, val).settings
                settings = choose_transform(tracks, config, settings, val).settings
        prepared = prepare(config, tracks, settings, val, begins)
        if start is None and begins is not None:
            prepared = as_it_is(prepared)
        return run_prepared(prepared, accelerator, folder, resume, tracker, quiet)


def as_it_is(prepared: Prepared) -> Prepared:
    """Return a shipped model that is fitted to some data and keeps its weights.

    So few tracks give nothing to validate on, so nothing would show whether training helps.
    """
    note = (
        f"training needs at least {FEWEST_TRACKS} tracks, found {len(prepared.train)}: "
        "the weights of the model that needs no training are kept as they are"
    )
    return prepared._replace(trains=False, notes=[*prepared.notes, note])


def starting_model(
    start: ModelOrFolder | None,
    config: ModelConfig | None,
    tracks: Tracks,
    training: TrainConfig,
    val: Tracks | None,
) -> TrainedModel | None:
    """Return the model that training goes on from, or None for random weights."""
    if start is None:
        check_tracks(tracks)
        return usual_start(tracks, training, val) if config is None else None
    return None if from_scratch(start) else resolve_model(start)


def from_scratch(start: ModelOrFolder | None) -> bool:
    """Return whether a start means random weights: "scratch", unless a folder has that name."""
    return str(start) == SCRATCH and not Path(SCRATCH).is_dir()
