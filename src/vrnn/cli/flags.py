"""Settings of Python as flags of the command line, and messages in the words of flags."""

import inspect
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import reduce
from operator import or_
from pathlib import Path
from types import GenericAlias, NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from cyclopts import CoercionError, Group, Parameter, Token
from docstring_parser import parse as read_docstring

from vrnn.errors import ABSENT, PYTHON, Function, Setting
from vrnn.files import user_path

PREFIXED = {"prob", "until"}
"""Fields of `augment` whose own names say too little for a flag: `--augment-prob`."""

RENAMED = {"Columns.names": "--columns", "model.architecture": "--arch"}
"""Settings whose flag has another name."""

FUNCTIONS = {
    "describe": "vrnn doctor DATA",
    "train": "vrnn train DATA --out RUN",
    "forecast": "vrnn forecast DATA --model RUN --out FILE",
    "generate": "vrnn generate --model RUN --out FILE",
    "evaluate": "vrnn evaluate DATA --model RUN",
    "reliability": "vrnn reliability DATA --model RUN",
    "fit_modes": "vrnn modes DATA --model RUN",
    "predict_modes": "vrnn forecast DATA --model RUN --out FILE --modes",
    "score": "vrnn score DATA --model RUN --out FILE",
    "impute": "vrnn impute DATA --model RUN --out FILE",
    "likelihood": "vrnn likelihood DATA --model RUN",
    "encode": "vrnn encode DATA --model RUN --out FILE",
}
"""The command that does what a function of the package does."""


READERS: dict[Any, Callable[[str], Any]] = {int: int, Path: user_path}
"""What reads a value in place of cyclopts, which would round 1.5, and keep `~` as it is."""


def flag_of(setting: str) -> str:
    """Return the flag of a setting, whose name may start with those of the configs around it.

    >>> flag_of("training.energy_weight"), flag_of("augment.flip"), flag_of("augment.prob")
    ('--energy-weight', '--flip', '--augment-prob')
    """
    *owners, name = setting.split(".")
    if setting in RENAMED:
        return RENAMED[setting]
    if name in PREFIXED and owners[-1:] == ["augment"]:
        name = f"augment_{name}"
    return "--" + name.replace("_", "-")


PYTHON_ONLY = {"x_dim", "u_dim", "y_dim"}
"""Settings without a flag, because the command line takes them from the data."""


class CommandWords:
    """The words of the command line: settings as flags, functions as commands.

    >>> words = CommandWords()
    >>> words.setting(Setting("Columns.x", ("lon", "the lat")))
    "--x lon 'the lat'"
    >>> words.setting(Setting("resume", True)), words.setting(Setting("transform.heading", False))
    ('--resume', '--no-heading')
    >>> words.setting(Setting("Columns.names", ("id", "t")))
    '--columns id,t'
    """

    def setting(self, setting: Setting) -> str:
        """Return `--flag` or `--flag VALUE`."""
        if setting.name in PYTHON_ONLY:
            return PYTHON.setting(setting)
        flag, value = flag_of(setting.name), setting.value
        if setting.name == "Columns.names":
            names = () if value is ABSENT else (shlex.quote(",".join(value)),)
            return " ".join([flag, *names])
        if value is ABSENT or value is True:
            return flag
        if value is False:
            return flag.replace("--", "--no-", 1)
        values = value if isinstance(value, tuple | list) else (value,)
        return " ".join([flag, *(shlex.quote(str(v)) for v in values)])

    def function(self, function: Function) -> str:
        """Return the command that calls a function."""
        return FUNCTIONS.get(function.name, f"{PYTHON.function(function)} in Python")


class Flat:
    """A function whose configs are spread out into one parameter a field.

    The function takes dataclasses such as `TrainConfig`. Their fields, and those of the
    dataclasses inside them, become parameters of the same names. Calling the object builds the
    dataclasses again, so that they check their fields.

    Args:
        function: its docstring describes the parameters under `Args:`.

    Attributes:
        signature: parameters with their types, defaults and help.
        description: the docstring without its `Args:`.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Size:
    ...     width: int = 1
    >>> def area(x: int, /, *, size: Size = Size()): return x * size.width
    >>> list(Flat(area).signature.parameters), Flat(area)(3, width=2)
    (['x', 'width'], 6)
    """

    def __init__(self, function: Callable[..., Any]):
        self.function = function
        docs = read_docstring(function.__doc__ or "")
        self.description = docs.description or ""
        self._helps = {p.arg_name: p.description or "" for p in docs.params}
        self._types = get_type_hints(function, include_extras=True)
        parameters = inspect.signature(function).parameters.values()
        self.signature = inspect.Signature([q for p in parameters for q in self._spread(p)])

    def _spread(self, parameter: inspect.Parameter) -> Iterator[inspect.Parameter]:
        kind = self._types[parameter.name]
        if is_dataclass(kind):
            yield from _fields(kind, parameter.default, _group(parameter.name))
            return
        help_text = self._helps.get(parameter.name)
        if parameter.kind is parameter.POSITIONAL_ONLY:
            said: dict[str, Any] = {"converter": _reader(READERS[kind])} if kind in READERS else {}
            yield parameter.replace(annotation=Annotated[kind, Parameter(help=help_text, **said)])
        else:
            yield parameter.replace(annotation=_annotated(kind, parameter.name, help_text))

    def __call__(self, *args: Any, **values: Any) -> Any:
        given = {}
        for name, parameter in inspect.signature(self.function).parameters.items():
            kind = self._types[name]
            if is_dataclass(kind):
                given[name] = _build(kind, values, parameter.default)
            elif name in values:
                given[name] = values[name]
        return self.function(*args, **given)


def _group(name: str) -> Group:
    """Return the part of the help for a config; parts come in the order in which they are made."""
    return Group.create_ordered(name.replace("_", " ").capitalize())


def _fields(
    config: type, default: Any, group: Group, owner: str = ""
) -> Iterator[inspect.Parameter]:
    """Return a parameter for each field of a config, and of the configs inside it."""
    types = get_type_hints(config, include_extras=True)
    helps = {p.arg_name: p.description for p in read_docstring(config.__doc__ or "").params}
    for field in fields(config):
        kind = types[field.name]
        if is_dataclass(kind):
            inner = getattr(default, field.name, None)
            yield from _fields(kind, inner, _group(field.name), field.name)
            continue
        path = f"{owner}.{field.name}" if owner else field.name
        yield inspect.Parameter(
            _key(owner, field),
            inspect.Parameter.KEYWORD_ONLY,
            default=getattr(default, field.name, _default(field)),
            annotation=_annotated(kind, path, helps.get(field.name), group),
        )


def _key(owner: str, field: Field) -> str:
    """Return the name of a field among all parameters."""
    return flag_of(f"{owner}.{field.name}")[2:].replace("-", "_")


def _default(field: Field) -> Any:
    if field.default is not MISSING:
        return field.default
    return inspect.Parameter.empty if field.default_factory is MISSING else field.default_factory()


def _build(config: type, values: dict[str, Any], default: Any, owner: str = "") -> Any:
    """Return a config from the values of its parameters."""
    types, given = get_type_hints(config), dict[str, Any]()
    for field in fields(config):
        if is_dataclass(types[field.name]):
            inner = getattr(default, field.name, None)
            given[field.name] = _build(types[field.name], values, inner, field.name)
        elif (key := _key(owner, field)) in values:
            given[field.name] = values[key]
        elif hasattr(default, field.name):
            given[field.name] = getattr(default, field.name)
    return config(**given)


def _annotated(kind: Any, path: str, help_text: str | None, group: Group | None = None) -> Any:
    """Return a type with the flag, the help and the reader that it has.

    What the type says of itself (`Annotated[bool, Parameter(...)]`) comes after and counts.
    """
    said = [m for m in getattr(kind, "__metadata__", ()) if isinstance(m, Parameter)]
    kind = _bare(kind)
    made: dict[str, Any] = {"name": flag_of(path), "help": _in_flags(help_text or "", path)}
    made |= {} if group is None else {"group": group}
    if get_origin(kind) is tuple:
        made |= {"negative": (), "consume_multiple": get_args(kind)[-1] is ...}
        made["show_default"] = lambda values: " ".join(map(str, values)) or "none"
    elif kind is bool and group is None:
        made["negative"] = ()  # of a command: it is off unless it is asked for
    elif kind in READERS:
        made["converter"] = _reader(READERS[kind])
    elif (inner := set(get_args(kind)) - {NoneType}) and inner <= {*READERS, str}:
        made["converter"] = _reader(*(READERS.get(part, part) for part in inner), optional=True)
    return Annotated[kind, Parameter(**made), *said]


def _in_flags(help_text: str, path: str) -> str:
    """Return a help text on one line, with flags for the names of settings of the same config.

    >>> _in_flags("mirror with probability `prob`", "augment.flip")
    'mirror with probability --augment-prob'
    """
    owner = path.rpartition(".")[0]
    words = " ".join(help_text.split())
    return re.sub(r"`(\w+)`", lambda found: flag_of(f"{owner}.{found[1]}"), words)


def _bare(kind: Any) -> Any:
    """Return a type without what is said of it, such as the range of a number.

    >>> _bare(Annotated[int, "from 0 to 1"] | None) == int | None
    True
    """
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _bare(parts[0])
    if origin in (Union, UnionType):
        return reduce(or_, map(_bare, parts))
    if origin is tuple:
        return GenericAlias(tuple, tuple(part if part is ... else _bare(part) for part in parts))
    return kind


def _reader(kind: Callable[[str], Any], optional: bool = False) -> Callable[..., Any]:
    """Return what reads a value, as a converter of cyclopts; None is a value where it is optional."""

    def read(_: Any, tokens: Sequence[Token]) -> Any:
        if optional and tokens[0].value == "None":
            return None
        try:
            return kind(tokens[0].value)
        except ValueError:
            raise CoercionError(token=tokens[0], target_type=kind) from None  # type: ignore

    return read
