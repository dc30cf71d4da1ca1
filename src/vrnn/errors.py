"""The errors that a user can meet, and how each surface words them.

An error carries fields and no finished sentence: where it happened, what was expected, what was
found, the likely cause and the way out. A field is plain text, or a tuple of text and of `Setting`
and `Function` objects. Python and the command line write these objects in their own words:

    raise ConfigError(setting="learning_rate", expected="a number above 0", found=rate)

    Python         learning_rate: expected a number above 0, found -1.0
    command line   --learning-rate: expected a number above 0, found -1.0

    raise RunFolderError(
        "holds a run already",
        where=folder,
        hint=("resume it with ", Setting("resume", True), ", or choose another folder"),
    )

    Python         runs/a: holds a run already; resume it with resume=True, or choose another folder
    command line   runs/a: holds a run already; resume it with --resume, or choose another folder

A message that names no setting needs no fields: `DataError(f"{path}: the file is empty")`.
"""

import importlib
import re
import warnings
from collections.abc import Iterable
from enum import Enum
from typing import Any, NamedTuple, Protocol, TypeAlias

from vrnn.console import visible


class Absent(Enum):
    """The value of a field that was not given, because None is a value like any other."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT
LARGEST = 2**63 - 1
"""The largest whole number that tensors, their shapes and generators take."""
LONG = 300
"""Most characters that a message shows of one value or word."""
LONG_WORD = re.compile(rf"(\S{{{LONG}}})\S+")


class Setting(NamedTuple):
    """A setting that a message names, with a value or without.

    Args:
        name: the name in Python. A dot stands between a config and its field: `augment.prob`.
            A class before the dot is written as a call: `Columns.id`.
        value: what the setting is or should be set to; it must have a readable `repr`.

    >>> write(Setting("observe")), write(Setting("task", "autoencoding"))
    ('observe', "task='autoencoding'")
    >>> write(Setting("Columns.x", ("lon", "lat")))
    "Columns(x=('lon', 'lat'))"
    """

    name: str
    value: Any = ABSENT


class Function(NamedTuple):
    """A function of vrnn that a message advises to call; the command line names its command.

    >>> write(("see ", Function("describe")))
    'see vrnn.describe'
    """

    name: str


Text: TypeAlias = str | Setting | Function | Exception | tuple[Any, ...]
"""Words of a message. The parts of a tuple are texts, or values that `str` writes.

A `VrnnError` inside another is written in the same words as the outer one.
"""


class Words(Protocol):
    """A surface that shows messages: how it writes settings and functions."""

    def setting(self, setting: Setting) -> str: ...

    def function(self, function: Function) -> str: ...


class PythonWords:
    """The words of Python: arguments and fields by their names, functions of the package."""

    def setting(self, setting: Setting) -> str:
        """Return `name` or `name=value`."""
        if setting.value is ABSENT:
            return setting.name
        owner, dot, field = setting.name.rpartition(".")
        if owner[:1].isupper():
            return f"{owner}({field}={setting.value!r})"
        return f"{owner}{dot}{field}={setting.value!r}"

    def function(self, function: Function) -> str:
        """Return `vrnn.name`."""
        return f"vrnn.{function.name}"


PYTHON: Words = PythonWords()


def write(text: Text, words: Words = PYTHON) -> str:
    """Return a text in the words of one surface.

    >>> write(("lower ", Setting("learning_rate"), " or ", Setting("grad_clip")))
    'lower learning_rate or grad_clip'
    """
    match text:  # settings and functions are tuples too, and come first
        case str():
            return text
        case Setting():
            return words.setting(text)
        case Function():
            return words.function(text)
        case VrnnError():
            return text.write(words)
        case tuple():
            return "".join(write(part, words) for part in text)
    return str(text)  # a number or a path between words


def joined(parts: Iterable[Text], between: str = ", ") -> Text:
    """Return texts as one, with words between them.

    >>> write(joined([Setting("group", "train"), Setting("group", "test")], " or "))
    "group='train' or group='test'"
    """
    return tuple(word for part in parts for word in (between, part))[1:]


class VrnnError(Exception):
    """Any failure that the user can mend; the command line prints one line and exits with 2.

    The message reads `where: setting: what: expected EXPECTED, found FOUND; cause; hint`.
    Fields that are not given leave no trace in it.

    Args:
        what: what is wrong, where `expected` and `found` do not say it; often the whole message.
        where: the file and line, the folder, the track or the step.
        setting: the name of the setting that is wrong, as in `Setting`.
        expected: what is allowed, such as "at least 1".
        found: what there is instead, any value; a tuple is shown as one.
        cause: the likely cause.
        hint: the way out.

    >>> print(ConfigError(setting="augment.prob", expected="a number from 0 to 1", found=2))
    augment.prob: expected a number from 0 to 1, found 2
    >>> print(DataError("the file is empty", where="a.csv", hint="is it complete?"))
    a.csv: the file is empty; is it complete?
    """

    def __init__(
        self,
        what: Text = "",
        *,
        where: Any = "",
        setting: str | None = None,
        expected: Text = "",
        found: Any = ABSENT,
        cause: Text = "",
        hint: Text = "",
    ):
        super().__init__(what)
        self.what, self.where, self.setting = what, where, setting
        self.expected, self.found, self.cause, self.hint = expected, found, cause, hint

    def write(self, words: Words = PYTHON) -> str:
        """Return the message in the words of one surface, without control characters.

        What was found may be a file's longest cell, so its beginning is shown.
        """
        setting = words.setting(Setting(self.setting)) if self.setting else ""
        expected = f"expected {write(self.expected, words)}" if self.expected else ""
        found = ""
        if self.found is not ABSENT:
            is_words = isinstance(self.found, Setting | Function | VrnnError)
            text = write(self.found, words) if is_words else str(self.found)
            found = f"found {text if len(text) <= LONG else f'{text[:LONG]}...'}"
        wrong = ", ".join(part for part in (expected, found) if part)
        head = (str(self.where), setting, write(self.what, words), wrong)
        cause, hint = write(self.cause, words), write(self.hint, words)
        clauses = (": ".join(part for part in head if part), cause, hint)
        message = "; ".join(part for part in clauses if part)
        return visible(LONG_WORD.sub(r"\1...", message))

    def __str__(self) -> str:
        return self.write(PYTHON)


class DataError(VrnnError):
    """A file or a set of tracks that cannot be used; it names the file, the line and the reason."""


class ConfigError(VrnnError):
    """Settings that do not fit together or do not fit the data."""


class UnsupportedError(VrnnError):
    """A task that the chosen model has no meaning for, such as `generate` without p(prefix)."""


class RunFolderError(VrnnError):
    """A run folder that is missing, incomplete, damaged or of another version."""


class NonFiniteError(VrnnError):
    """A loss or a gradient that is not finite; it names the step, the term and the track."""


class MissingExtraError(VrnnError):
    """An optional dependency that is absent; it names the command that installs it."""


class VrnnWarning(UserWarning):
    """Something that was mended, left out or chosen, and that a user should know of.

    Args:
        text: the sentence, whose settings each surface words.
    """

    def __init__(self, text: Text):
        super().__init__(write(text))
        self.text = text


def warn(*text: Text) -> None:
    """Tell the user in one line; the command line prints it as a note.

    Args:
        text: the parts of a sentence.
    """
    warnings.warn(VrnnWarning(tuple(text)), stacklevel=3)


def check_at_least(least: int, **settings: int | None) -> None:
    """Refuse settings below a number, or too large to count; None stands for no value.

    >>> check_at_least(1, horizon=12, prefix_samples=None)
    """
    for name, value in settings.items():
        if value is not None and value < least:
            raise ConfigError(setting=name, expected=f"at least {least}", found=value)
        if value is not None and value > LARGEST:
            raise ConfigError(setting=name, expected=f"at most {LARGEST}", found=value)


def check_seed(seed: int) -> None:
    """Refuse a seed that the generators do not take."""
    check_at_least(0, seed=seed)


def require(module: str, extra: str):
    """Return an optional module, or say which command installs it.

    >>> require("math", "plot").sqrt(4.0)
    2.0
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{module} is needed here and is not installed",
            hint=f"install it with: pip install 'vrnn[{extra}]'",
        ) from error
