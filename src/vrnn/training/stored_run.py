"""Whether the parts of a run folder fit each other, checked before anything is made of their sizes."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from vrnn.data.preprocessor import Preprocessor
from vrnn.errors import ConfigError
from vrnn.geo import RADIUS
from vrnn.inference.traits import reads_prefix
from vrnn.models.config import ModelConfig
from vrnn.models.contract import Model
from vrnn.stored import cut_off
from vrnn.training.config import TrainConfig

Shapes = Mapping[str, tuple[int, ...]]
SPARE = 1000
"""Settings that reach no weight, such as the width of a latent that is not there, may be so large."""
INNER = "inner."
"""What the names of weights begin with in a model that is around another."""


def check_preprocessor(p: Preprocessor) -> None:
    """Refuse a preprocessor whose parts do not fit each other.

    Raises:
        ConfigError: names the first entry that does not fit.
    """
    columns, inputs, targets = len(p.x_names), len(p.u_names), len(p.y_names)
    transform = p.transform
    _expect("x_names", "one or more names", columns, columns > 0)
    _expect(
        "transform.dim", f"{columns}, as there are x_names", transform.dim, transform.dim == columns
    )
    standard, displacement = transform.standardise, transform.displacement
    lists: list[tuple[str, Any, int]] = [
        ("u_has_missing", p.u_has_missing, inputs),
        ("u_mean", p.u_mean, inputs),
        ("u_scale", p.u_scale, inputs),
        ("y_mean", p.y_mean, targets),
        ("y_scale", p.y_scale, targets),
    ]
    if standard is not None:
        lists += [
            ("transform.standardise.mean", standard.mean, columns),
            ("transform.standardise.scale", standard.scale, columns),
        ]
    if displacement is not None:
        lists.append(("transform.displacement.columns", displacement.columns, columns))
    for name, values, count in lists:
        _expect(name, f"a list of {count}", f"one of {len(values)}", len(values) == count)
    positions = int(transform.is_increment.sum()) if p.position_mean or p.position_scale else 0
    for name, values in (("position_mean", p.position_mean), ("position_scale", p.position_scale)):
        _expect(name, f"a list of {positions}", f"one of {len(values)}", len(values) == positions)
    scales = {
        "step": (p.step,),
        "u_scale": p.u_scale,
        "y_scale": p.y_scale,
        "position_scale": p.position_scale,
        "transform.standardise.scale": () if standard is None else standard.scale,
    }
    for name, values in scales.items():
        _expect(name, "numbers above 0", values, all(value > 0 for value in values))
    _check_transform(p)


def _check_transform(p: Preprocessor) -> None:
    """Refuse a heading, a plane or a causal transform that the columns do not allow."""
    transform = p.transform
    is_increment = transform.is_increment
    heading, plane = transform.heading, transform.plane
    if heading is not None:
        fits = heading.row >= 1 and transform.dim >= 2 and not transform.causal
        _expect("transform.heading", "a row from 1, and two columns to turn", heading, fits)
    if plane is not None:
        fits = (
            plane.unit in RADIUS
            and plane.lat != plane.lon
            and all(0 <= i < transform.dim and is_increment[i] for i in (plane.lat, plane.lon))
        )
        _expect("transform.plane", "two columns that are increments, and a unit", plane, fits)
    fits = bool(is_increment.all()) and not p.position_mean
    if transform.causal:
        _expect("transform.causal", "false, as not every column is a position", True, fits)


def check_widths(config: ModelConfig, p: Preprocessor) -> None:
    """Refuse a model for other columns than those of the preprocessor."""
    for name, count in (
        ("x_dim", len(p.x_names)),
        ("u_dim", p.model_u_dim),
        ("y_dim", len(p.y_names)),
    ):
        found = getattr(config, name, 0)
        if found != count:
            raise ConfigError(
                where=f"model.{name}", expected=f"{count}, as in the preprocessor", found=found
            )


def check_network(network: Model, training: TrainConfig, p: Preprocessor) -> None:
    """Refuse a preprocessor and a prefix that the model was not trained with."""
    family, transform = network.observation, p.transform
    _expect("factorises", f"{family.factorises}", p.factorises, family.factorises == p.factorises)
    if not network.supervised:
        moves = [
            not c and bool(i)
            for c, i in zip(family.continuous, transform.is_increment, strict=True)
        ]
        name = "transform.displacement.columns"
        _expect(name, "false for discrete columns", transform.displacement, not any(moves))
    observe, heading = training.observe, transform.heading
    if heading is not None and observe != heading.row + 1:
        raise ConfigError(where="training.observe", expected=f"{heading.row + 1}", found=observe)
    if reads_prefix(network) and (observe is None or observe < transform.given + 1):
        least = transform.given + 1
        raise ConfigError(where="training.observe", expected=f"at least {least}", found=observe)


def check_shapes(
    shapes: Shapes, settings: Mapping[str, Any], make: Callable[[], nn.Module]
) -> None:
    """Refuse settings of a module for which weights have other shapes.

    The module is made without memory for its weights. Before, no number in the settings may be
    larger than the number of weights, and no depth larger than the number of tensors.

    Args:
        shapes: of the weights that there are.
        settings: those that the module is made of.
        make: makes the module.

    Raises:
        ConfigError: names the setting or the weight.
    """
    count = sum(torch.Size(shape).numel() for shape in shapes.values())
    for name, number in _numbers(settings):
        most = len(shapes) if name == "depth" else count + SPARE
        if number > most:
            raise ConfigError(
                where=name, expected=f"at most {most} for {count} weights", found=number
            )
    try:
        with torch.device("meta"):
            made = {name: tuple(value.shape) for name, value in make().state_dict().items()}
    except (RuntimeError, OverflowError) as error:  # more numbers than can be counted
        raise ConfigError("the weights would be too many to count") from error
    compare_shapes({name.removeprefix(INNER): shape for name, shape in shapes.items()}, made)


def compare_shapes(found: Shapes, expected: Shapes) -> None:
    """Refuse tensors of other names or shapes.

    Raises:
        ConfigError: names the first that differs.
    """
    said = lambda shapes, name: f"shape {tuple(shapes[name])}" if name in shapes else "none"  # noqa: E731
    for name in (*expected, *found):
        if expected.get(name) != found.get(name):
            raise ConfigError(where=name, expected=said(expected, name), found=said(found, name))


def _numbers(settings: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield the whole numbers in settings, those in texts such as mixture(5) too."""
    for name, value in settings.items():
        if isinstance(value, str):
            digits = re.findall(r"\d+", value)
            yield from ((name, int(word[:18])) for word in digits)
        elif isinstance(value, int):
            yield name, value


def _expect(name: str, expected: str, found: Any, fits: bool) -> None:
    """Refuse an entry of the preprocessor that does not fit."""
    if not fits:
        raise ConfigError(
            where=f"preprocessor.{name}", expected=expected, found=cut_off(f"{found}")
        )
