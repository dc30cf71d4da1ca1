"""The errors a user can meet. Each message says what was expected, what was found, the likely cause, the way out."""


class VrnnError(Exception):
    """Any failure that the user, not the library, can mend; the command line prints it as one line and exits with 2."""


class DataError(VrnnError):
    """A file or a set of tracks that cannot be used; names the file, the line and the reason."""


class ConfigError(VrnnError):
    """Settings that do not fit together or do not fit the data."""


class UnsupportedError(VrnnError):
    """A verb that the chosen model has no meaning for, such as `generate` for a model without p(prefix)."""


class RunFolderError(VrnnError):
    """A run folder that is missing, incomplete, damaged or written by an incompatible version."""


class NonFiniteError(VrnnError):
    """A loss or gradient that is not finite; names the step, the term and the track."""


class MissingExtraError(VrnnError):
    """An optional dependency is absent; names the command that installs it."""


def check_seed(seed: int) -> None:
    """Refuse a seed that the generators do not take."""
    if seed < 0:
        raise ConfigError(f"expected a seed of at least 0, found {seed}")


def require(module: str, extra: str):
    """Import an optional module, or say which command installs it.

    >>> require("math", "plot").sqrt(4.0)
    2.0
    """
    import importlib

    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{module} is needed here and is not installed; install it with: pip install 'vrnn[{extra}]'"
        ) from error
