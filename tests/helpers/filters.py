"""Particle filters over the cases of all models."""

from tests.models.settings import CONFIGS, TIME, Case, build, make_case

from vrnn.inference.embed import embed
from vrnn.inference.noise import draw_noise
from vrnn.inference.particle_filter import FilterConfig, Filtered, particle_filter
from vrnn.inference.random_numbers import seeded
from vrnn.models.contract import Model


def particle_case(name: str, samples: int = 4) -> tuple[Model, Case]:
    """Return the model of a setting, and a case with the noise of a particle filter."""
    config = CONFIGS[name]
    model = build(config)
    case = make_case(model, config, samples=samples)
    noise = draw_noise(model, samples, 4, TIME, seeded(0, 3), resampling=True)
    return model, case._replace(noise=noise)


def filtered(model: Model, case: Case, config: FilterConfig = FilterConfig(), **more) -> Filtered:  # noqa: B008 (frozen)
    """Return the record of a particle filter over a case."""
    embedded = embed(model, case.batch, case.prefix)
    return particle_filter(model, case.batch, case.noise, config, embedded=embedded, **more)
