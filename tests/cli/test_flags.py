"""Settings as flags: configs become flags, and messages name flags that there are."""

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, get_args

import pytest

import vrnn
from vrnn.cli import main as cli
from vrnn.cli.commands import command
from vrnn.cli.flags import FUNCTIONS, PYTHON_ONLY, CommandWords, Flat, flag_of
from vrnn.cli.parse import Command
from vrnn.errors import Function, Setting
from vrnn.models.registry import REGISTRY

SOURCES = sorted(Path(vrnn.__file__).parent.rglob("*.py"))


def flags() -> set[str]:
    """Return the flags of all commands, those that switch something off too."""
    commands = [command(name) for name in cli.COMMANDS]
    commands += [command("train", ["--arch", arch]) for arch in REGISTRY]
    return {name for one in commands for name in one.flags}


def literals(*functions: str) -> set[str]:
    """Return the first argument of all calls of some functions in the package, where it is text."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if called == "check_at_least" and "Setting" in functions:
                found |= {keyword.arg for keyword in node.keywords}
            if called in functions and node.args and isinstance(node.args[0], ast.Constant):
                found.add(node.args[0].value)
            if called.endswith("Error"):
                found |= {
                    k.value.value
                    for k in node.keywords
                    if k.arg == "setting"
                    and isinstance(k.value, ast.Constant)
                    and "Setting" in functions
                }
    return found


def test_messages_name_settings_that_are_flags():
    settings = literals("Setting") - PYTHON_ONLY
    assert len(settings) > 30
    assert {flag_of(name) for name in settings} <= flags()


def test_messages_name_functions_that_there_are():
    assert FUNCTIONS.keys() | literals("Function") <= set(vrnn.__all__)


def test_messages_of_tasks_and_training_are_in_the_words_of_no_surface():
    """A setting, a function or a flag in them is an object that each surface words."""
    one_surface = re.compile(r"\bvrnn\.|\bvrnn train|--[a-z]|\b[a-z_]+=|[a-z]_[a-z]")
    home = Path(vrnn.__file__).parent
    sources = [
        home / "trained.py",
        *(home / "tasks").glob("*.py"),
        *(home / "training").glob("*.py"),
    ]
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text())):
            called = getattr(getattr(node, "func", None), "id", "")
            if not called.endswith("Error"):
                continue
            for text in texts(node):
                assert not one_surface.search(text), f"{path.name}: {text}"


def texts(call: ast.Call) -> list[str]:
    """Return the literal texts of an error, without the names of settings and functions."""
    named = {
        id(part)
        for node in ast.walk(call)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Setting", "Function")
        for part in ast.walk(node)
    }
    named |= {id(k.value) for k in call.keywords if k.arg == "setting"}
    return [
        node.value
        for node in ast.walk(call)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in named
    ]


@pytest.mark.parametrize("line", FUNCTIONS.values())
def test_commands_in_messages_parse(line):
    _, name, *words = line.split()
    assert callable(command(name).parse(words))


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (Setting("energy_weight"), "--energy-weight"),
        (Setting("training.batch_size", 4), "--batch-size 4"),
        (Setting("augment.prob", 0.5), "--augment-prob 0.5"),
        (Setting("augment.flip", True), "--flip"),
        (Setting("transform.displacement", False), "--no-displacement"),
        (Setting("Columns.id", "the id"), "--id 'the id'"),
        (Setting("Columns.id", None), "--id None"),
        (Setting("Columns.x", ("lon", "lat")), "--x lon lat"),
        (Setting("x_dim", 2), "x_dim=2"),
    ],
)
def test_settings_in_the_words_of_flags(setting, words):
    assert CommandWords().setting(setting) == words


def test_functions_in_the_words_of_commands():
    assert CommandWords().function(Function("describe")) == "vrnn doctor DATA"
    assert CommandWords().function(Function("regular")) == "vrnn.regular in Python"


@dataclass(frozen=True)
class Inner:
    """Settings inside others.

    Args:
        prob: how often.
        name: a text
            on two lines.
    """

    prob: Annotated[float, "a range"] = 0.5
    name: str | None = "a"


@dataclass(frozen=True)
class Outer:
    """Settings.

    Args:
        sizes: some numbers.
        pair: two numbers.
        kind: one of two.
        on: a switch.
        most: a number or None.
        augment: inner settings.
    """

    sizes: tuple[float, ...] = ()
    pair: tuple[int, int] = (1, 2)
    kind: Literal["a", "b"] = "a"
    on: bool = True
    most: Annotated[int, "a range"] | None = None
    augment: Inner = field(default_factory=Inner)


def take(data: Path, /, *, settings: Outer = Outer(on=False)) -> Outer:
    """Return the settings."""
    return settings


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", Outer(on=False)),
        ("--on --sizes 1 2.5 --pair 3 4", Outer(sizes=(1.0, 2.5), pair=(3, 4))),
        ("--no-on --kind b --most 7", Outer(kind="b", on=False, most=7)),
        ("--most None --augment-prob 0.1", Outer(on=False, augment=Inner(prob=0.1))),
        ("--name None", Outer(on=False, augment=Inner(name=None))),
    ],
)
def test_a_config_is_built_from_flags(line, expected):
    assert Command(take, "take").parse(["x.csv", *line.split()])() == expected


def test_help_of_a_config_is_its_docstring(capsys):
    Command(take, "take").parse(["--help"])()
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "Settings" in text and "Augment" in text
    for words in ("some numbers.", "a text on two lines.", "choices: a, b", "default: 0.5"):
        assert words in text


def test_flat_parameters_have_names_of_their_own():
    names = list(Flat(take).signature.parameters)
    assert names == ["data", "sizes", "pair", "kind", "on", "most", "augment_prob", "name"]


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_usage_has_the_data_first_and_then_what_is_required(name, capsys):
    command(name).parse(["--help"])()
    usage = capsys.readouterr().out.splitlines()[0]
    data = "" if name in ("demo", "generate") else " DATA"
    assert usage.startswith(f"Usage: vrnn {name}{data} ") and usage.endswith(" [OPTIONS]")
    assert ("--model RUN" in usage) is (
        name in ("generate", "modes")
    )  # the others have a usual one


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_flag_has_a_help_text_and_a_name_of_its_own(name):
    known = flags() | {"--help"}
    for parameter in Flat(command(name).function).signature.parameters.values():
        said = [m for m in parameter.annotation.__metadata__ if getattr(m, "help", None)]
        assert said and said[-1].help.endswith("."), parameter.name
        for flag in re.findall(r"--[a-z-]+\w|`", said[-1].help):
            assert flag in known, f"{parameter.name}: {flag}"
    assert len(set(command(name).flags)) == len(command(name).flags)


def paths_of(name: str) -> dict[str, bool]:
    """Return the parameters of a command that are paths, and whether each is positional."""
    parameters = Flat(command(name).function).signature.parameters.values()
    kinds = {p.name: get_args(p.annotation)[0] for p in parameters}
    assert not any("Path" in str(k) and k not in (Path, Path | None) for k in kinds.values())
    positional = {p.name for p in parameters if p.kind is p.POSITIONAL_ONLY}
    return {n: n in positional for n, kind in kinds.items() if kind in (Path, Path | None)}


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_a_tilde_is_the_home_folder_in_every_path(name, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    paths, words = paths_of(name), []
    for parameter, positional in paths.items():
        flag = "--from" if parameter == "start" else flag_of(parameter)
        words += [f"~/{parameter}"] if positional else [flag, f"~/{parameter}"]
    call = command(name).parse(words)
    given = dict(zip([n for n, positional in paths.items() if positional], call.args, strict=True))
    given |= call.keywords
    assert paths and {n: given[n] for n in paths} == {n: tmp_path / n for n in paths}
