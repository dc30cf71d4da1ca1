"""Read an emission from text, as written in a config or on the command line."""

import difflib
import re
from collections.abc import Callable

from vrnn.distributions.base import Family
from vrnn.distributions.bernoulli import Bernoulli
from vrnn.distributions.categorical import Categorical
from vrnn.distributions.full_gaussian import FullGaussian
from vrnn.distributions.gaussian import Gaussian
from vrnn.distributions.mixture import Mixture
from vrnn.distributions.nade import Nade
from vrnn.distributions.product import Product
from vrnn.distributions.student_t import StudentT
from vrnn.errors import ConfigError

PLAIN: dict[str, Callable[[int], Family]] = {
    "gaussian": Gaussian,
    "full_gaussian": FullGaussian,
    "student_t": StudentT,
    "bernoulli": Bernoulli,
}
COUNTED = {"mixture": "components", "nade": "hidden units", "categorical": "classes"}
EXAMPLES = (
    "gaussian",
    "full_gaussian",
    "mixture(5)",
    "student_t",
    "bernoulli",
    "nade(100)",
    "categorical(3)",
)
TERM = re.compile(r"\s*(?P<name>\w+)\s*(?:\(\s*(?P<count>\d+)\s*\))?\s*(?::\s*(?P<dims>\d+))?\s*")


def parse_emission(text: str, dim: int) -> Family:
    """Return the family of observations of width `dim` that `text` names.

    Families are joined with `+` over consecutive columns; each is `name`, its count in brackets where it has
    one, and `:` with its number of columns. One of them may leave the columns out and takes what is left.

    >>> parse_emission("full_gaussian", dim=2)
    FullGaussian(dim=2)
    >>> parse_emission("mixture(5):2+bernoulli:1", dim=3)
    Product(parts=(Mixture(dim=2, components=5), Bernoulli(dim=1)))
    """
    terms = [_read(term, text) for term in text.split("+")]
    given = sum(dims for _, _, dims in terms if dims is not None)
    open_terms = [name for name, _, dims in terms if dims is None]
    if len(open_terms) > 1:
        raise ConfigError(
            f"emission {text!r}: expected the number of columns of each family but one, found none for "
            f"{' and '.join(open_terms)}; write for instance {open_terms[0]}:1"
        )
    if given > dim - len(open_terms) or (not open_terms and given != dim):
        left = f" and leave at least 1 column to {open_terms[0]}" if open_terms else ""
        raise ConfigError(
            f"emission {text!r}: expected its columns to add up to {dim}, the width of an observation{left}, "
            f"found {given}"
        )
    families = [
        _build(name, count, dim - given if dims is None else dims, text)
        for name, count, dims in terms
    ]
    return families[0] if len(families) == 1 else Product(tuple(families))


def _read(term: str, text: str) -> tuple[str, int | None, int | None]:
    """Split a term into name, count and columns, and check the name and whether it takes a count."""
    found = TERM.fullmatch(term)
    if found is None:
        raise ConfigError(
            f"emission {text!r}: expected a family such as {', '.join(EXAMPLES)}, joined with '+', "
            f"found {term.strip()!r}"
        )
    name, count, dims = found["name"], found["count"], found["dims"]
    if name not in PLAIN and name not in COUNTED:
        known = [*PLAIN, *COUNTED]
        near = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(
            f"emission {text!r}: expected one of {', '.join(known)}, found {name!r}{hint}"
        )
    if name in COUNTED and count is None:
        raise ConfigError(
            f"emission {text!r}: expected the number of {COUNTED[name]} of {name}, found none; "
            f"write for instance {name}(5)"
        )
    if name in PLAIN and count is not None:
        raise ConfigError(
            f"emission {text!r}: expected no number in brackets after {name}, found ({count}); "
            f"columns are written {name}:{count}"
        )
    return name, int(count) if count else None, int(dims) if dims else None


def _build(name: str, count: int | None, dims: int, text: str) -> Family:
    if dims < 1:
        raise ConfigError(f"emission {text!r}: expected at least 1 column for {name}, found {dims}")
    if name in PLAIN or count is None:
        return PLAIN[name](dims)
    if name == "mixture":
        return Mixture(dims, count)
    if name == "nade":
        return Nade(dims, count)
    if dims != 1:
        raise ConfigError(
            f"emission {text!r}: expected 1 column for categorical, found {dims}; "
            f"write one term a column, as in categorical({count}):1+categorical({count}):1"
        )
    return Categorical(count)
