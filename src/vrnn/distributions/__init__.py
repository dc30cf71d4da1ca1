"""Distributions of latents and of observations, one family a file."""

from vrnn.distributions.base import Distribution, Family, LatentDistribution, LatentFamily
from vrnn.distributions.bernoulli import Bernoulli
from vrnn.distributions.categorical import Categorical
from vrnn.distributions.full_gaussian import FullGaussian
from vrnn.distributions.gaussian import DiagonalGaussian, Gaussian
from vrnn.distributions.mixture import Mixture
from vrnn.distributions.nade import Nade
from vrnn.distributions.one_hot import OneHot, OneHotDistribution
from vrnn.distributions.parse import parse_emission
from vrnn.distributions.parse_latent import parse_latent
from vrnn.distributions.product import Product
from vrnn.distributions.scale import SCALE_FLOOR, positive
from vrnn.distributions.standard_normal import StandardNormal
from vrnn.distributions.student_t import StudentT
from vrnn.distributions.tree import tree_map

__all__ = [
    "SCALE_FLOOR",
    "Bernoulli",
    "Categorical",
    "DiagonalGaussian",
    "Distribution",
    "Family",
    "FullGaussian",
    "Gaussian",
    "LatentDistribution",
    "LatentFamily",
    "Mixture",
    "Nade",
    "OneHot",
    "OneHotDistribution",
    "Product",
    "StandardNormal",
    "StudentT",
    "parse_emission",
    "parse_latent",
    "positive",
    "tree_map",
]
