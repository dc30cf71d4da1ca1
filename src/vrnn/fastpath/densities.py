"""Which emissions have a density in the compiled recurrences."""

from vrnn.distributions import Bernoulli, Family, FullGaussian, Gaussian, Mixture, Product
from vrnn.ops.category_scan import Kind, Part


def emission_parts(family: Family) -> tuple[Part, ...] | None:
    """Return the parts of an emission; None where one of them has no compiled density.

    >>> emission_parts(FullGaussian(2))
    (Part(kind=<Kind.FULL_GAUSSIAN: 1>, dim=2, components=0),)
    """
    if isinstance(family, Product):
        found = [emission_parts(part) for part in family.parts]
        known = [parts for parts in found if parts is not None]
        return sum(known, ()) if len(known) == len(found) else None
    if isinstance(family, Mixture):
        return (Part(Kind.MIXTURE, family.dim, family.components),)
    kinds: dict[type[Family], Kind] = {
        Gaussian: Kind.GAUSSIAN,
        FullGaussian: Kind.FULL_GAUSSIAN,
        Bernoulli: Kind.BERNOULLI,
    }
    kind = kinds.get(type(family))
    return None if kind is None else (Part(kind, family.dim),)
