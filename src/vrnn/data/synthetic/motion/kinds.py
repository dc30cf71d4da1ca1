"""Kinds of planar motion: each a process with parameters of its own for every track.

A generator takes a random generator, a number of tracks and a number of rows. It returns the moves
from row to row, (count, time, 2). Their unit differs from track to track; `prior` brings all to one.
"""

import numpy as np
from jaxtyping import Float

Moves = Float[np.ndarray, "count time 2"]
Numbers = Float[np.ndarray, " count"]
Rng = np.random.Generator

TURN = 2 * np.pi
BEFORE = 40  # rows that a process runs before a track begins


def log_uniform(rng: Rng, count: int, low: float, high: float) -> Numbers:
    """Return numbers whose logarithm is uniform between those of two bounds."""
    return np.exp(rng.uniform(np.log(low), np.log(high), count))


def some(rng: Rng, count: int, share: float) -> np.ndarray:
    """Return a random mask (count,), true with probability `share`."""
    return rng.random(count) < share


def mean_reverting(
    rng: Rng, time: int, memory: Numbers, spread: Numbers, width: int = 1
) -> Float[np.ndarray, "count time width"]:
    """Return AR(1) processes with their stationary spread, from their stationary distribution.

    a_t = memory a_{t-1} + spread sqrt(1 - memory^2) e_t
    """
    count = len(memory)
    noise = rng.standard_normal((count, time, width)) * spread[:, None, None]
    fresh = np.sqrt(1 - memory**2)[:, None]
    found = np.empty_like(noise)
    state = noise[:, 0]
    for t in range(time):
        state = memory[:, None] * state + fresh * noise[:, t] if t else state
        found[:, t] = state
    return found


def along(heading: np.ndarray, speed: np.ndarray) -> Moves:
    """Return moves of a speed in a direction."""
    return np.stack([speed * np.cos(heading), speed * np.sin(heading)], -1)


def steady(rng: Rng, count: int, time: int) -> Moves:
    """Return walks at a nearly constant velocity: people, ships, cars on a road.

    The heading wanders by a smooth rate of turn and is pulled back to the course. The course
    changes at rare turns. The speed varies a little. Some tracks stop for a while.
    """
    spread, memory = log_uniform(rng, count, 0.002, 0.08), 1 - log_uniform(rng, count, 0.02, 0.6)
    rate = mean_reverting(rng, time, memory, spread)[..., 0]
    pull = log_uniform(rng, count, 0.02, 0.4)
    chance = log_uniform(rng, count, 0.002, 0.03) * some(rng, count, 0.4)
    turns = (rng.random((count, time)) < chance[:, None]) * rng.normal(0, 0.9, (count, time))
    course = rng.uniform(0, TURN, count)[:, None] + turns.cumsum(1)
    heading, now = np.empty((count, time)), course[:, 0]
    for t in range(time):
        now = now + rate[:, t] + pull * (course[:, t] - now)
        heading[:, t] = now
    varying = mean_reverting(
        rng, time, 1 - log_uniform(rng, count, 0.01, 0.5), log_uniform(rng, count, 0.005, 0.15)
    )
    speed = np.exp(varying[..., 0]) * paced(rng, count, time, 0.3)
    return along(heading, speed * pauses(rng, count, time, 0.35))


def paced(rng: Rng, count: int, time: int, share: float) -> Float[np.ndarray, "count time"]:
    """Return factors of the speed. In a share of the tracks their logarithm has a slope that varies slowly."""
    memory, spread = 1 - log_uniform(rng, count, 0.03, 0.5), log_uniform(rng, count, 0.005, 0.2)
    slope = mean_reverting(rng, time, memory, spread * some(rng, count, share))[..., 0]
    found = slope.cumsum(1)
    return np.exp(np.clip(found - found[:, :1], -2.5, 2.5))


def pauses(rng: Rng, count: int, time: int, share: float) -> Float[np.ndarray, "count time"]:
    """Return factors of the speed in [0, 1]. A share of the tracks stops at random times.

    A factor falls and rises exponentially, over some rows.
    """
    stops = log_uniform(rng, count, 0.005, 0.06) * some(rng, count, share)
    goes, quick = log_uniform(rng, count, 0.05, 0.5), rng.uniform(0.2, 1.0, count)
    chance = rng.random((count, time))
    factor = np.empty((count, time))
    stands, now = some(rng, count, 0.35) & (stops > 0), np.ones(count)
    now = np.where(stands, 0.0, now)
    for t in range(time):
        stands = np.where(stands, chance[:, t] > goes, chance[:, t] < stops)
        now = now + quick * (np.where(stands, 0.0, 1.0) - now)
        factor[:, t] = np.where(now < 0.02, 0.0, now)
    return factor


def correlated(rng: Rng, count: int, time: int) -> Moves:
    """Return velocities that revert to a mean, which may be 0: storms, crowds, diffusion.

    Their changes are white noise, or an AR(1) process of a shorter memory.
    """
    long, short = 1 - log_uniform(rng, count, 0.02, 1.0), 1 - log_uniform(rng, count, 0.1, 1.0)
    changes = mean_reverting(rng, time + BEFORE, short, np.ones(count), 2)
    velocity, now = np.empty_like(changes), np.zeros((count, 2))
    for t in range(time + BEFORE):
        now = long[:, None] * now + changes[:, t]
        velocity[:, t] = now
    velocity = velocity[:, BEFORE:]
    size = log_uniform(rng, count, 0.05, 1.0) / np.sqrt((velocity**2).mean((1, 2)))
    mean = rng.standard_normal((count, 1, 2)) * some(rng, count, 0.5)[:, None, None]
    return mean + velocity * size[:, None, None]


def turning(rng: Rng, count: int, time: int) -> Moves:
    """Return tracks of a varying rate of turn and speed: animals, drones, strokes of a pen.

    The rate of turn reverts to a mean of each track. Some tracks make sudden turns, some stop.
    """
    memory, spread = 1 - log_uniform(rng, count, 0.01, 1.0), log_uniform(rng, count, 0.01, 0.8)
    rate = mean_reverting(rng, time, memory, spread)[..., 0]
    rate += (rng.standard_normal(count) * log_uniform(rng, count, 0.01, 0.6))[:, None] * some(
        rng, count, 0.5
    )[:, None]
    chance = log_uniform(rng, count, 0.01, 0.15) * some(rng, count, 0.35)
    size = rng.uniform(0.5, 2.4, count)[:, None] * rng.uniform(0.7, 1.3, (count, time))
    sudden = rng.random((count, time)) < chance[:, None]
    rate += sudden * size * rng.choice([-1.0, 1.0], (count, time))
    heading = rng.uniform(0, TURN, count)[:, None] + rate.cumsum(1)
    speed = mean_reverting(
        rng, time, 1 - log_uniform(rng, count, 0.01, 1.0), log_uniform(rng, count, 0.02, 0.6)
    )
    return along(heading, np.exp(speed[..., 0])) * pauses(rng, count, time, 0.3)[..., None]


def strokes(rng: Rng, count: int, time: int) -> Moves:
    """Return a sequence of strokes: pens, hands, eyes, insects in flight.

    Every stroke has a direction, which turns while it lasts, and a bell-shaped speed. The next one
    begins before it has ended, or after a short pause.
    """
    length = log_uniform(rng, count, 3, 20)
    begins = rng.uniform(-1, 0, count) * length
    rows = np.arange(time)
    angle, moves = rng.uniform(0, TURN, count), np.zeros((count, time, 2))
    sharp, bend = rng.uniform(0.2, 3.1, count), log_uniform(rng, count, 0.1, 2.5)
    overlap, uneven = rng.uniform(0.4, 1.2, count), log_uniform(rng, count, 0.05, 0.6)
    side = rng.choice([-1.0, 1.0], count)
    while (begins < time).any():
        lasts = length * np.exp(uneven * rng.standard_normal(count))
        part = (rows - begins[:, None]) / lasts[:, None]
        bell = np.where((part > 0) & (part < 1), np.sin(np.pi * np.clip(part, 0, 1)) ** 2, 0.0)
        size = np.exp(uneven * rng.standard_normal(count))
        turned = angle[:, None] + (bend * side)[:, None] * (part - 0.5)
        moves += along(turned, size[:, None] * bell)
        side = np.where(rng.random(count) < 0.3, -side, side)
        angle = angle + side * sharp * np.exp(0.5 * rng.standard_normal(count))
        begins = begins + overlap * lasts
    return moves


def goals(rng: Rng, count: int, time: int) -> Moves:
    """Return tracks from goal to goal, with a limited rate of turn, slowing down and pauses."""
    place, at = np.zeros((count, 2)), np.empty((count, time, 2))
    far = log_uniform(rng, count, 3, 40)
    goal = rng.standard_normal((count, 2)) * far[:, None]
    heading, speed = rng.uniform(0, TURN, count), log_uniform(rng, count, 0.4, 1.6)
    most, noise = log_uniform(rng, count, 0.05, 1.5), log_uniform(rng, count, 0.005, 0.2)
    slows, pauses_there = some(rng, count, 0.5), some(rng, count, 0.5)
    pause = np.zeros(count)
    for t in range(time):
        way = goal - place
        rest = np.hypot(*way.T)
        off = (np.arctan2(way[:, 1], way[:, 0]) - heading + np.pi) % TURN - np.pi
        heading = heading + np.clip(off, -most, most) + noise * rng.standard_normal(count)
        pace = np.where(slows, np.minimum(rest / 4, 1.0), 1.0) * speed
        pace = np.where(pause > 0, 0.0, pace * (1 + 0.1 * rng.standard_normal(count)))
        there = rest < 1.2 * speed
        waits = np.floor(log_uniform(rng, count, 1, 15)) * pauses_there
        pause = np.where(there, waits, np.maximum(pause - 1, 0))
        new = place + rng.standard_normal((count, 2)) * far[:, None]
        goal = np.where(there[:, None], new, goal)
        at[:, t] = along(heading, pace)
        place = place + at[:, t]
    return at


def oscillating(rng: Rng, count: int, time: int) -> Moves:
    """Return sums of up to three oscillations in each axis, around a drift."""
    rows = np.arange(time + 1.0)[None, :, None]
    path = (
        rows * rng.standard_normal((count, 1, 2)) * log_uniform(rng, count, 0.05, 1)[:, None, None]
    )
    for _ in range(3):
        often = log_uniform(rng, count, 0.005, 0.3)[:, None, None]
        height = rng.standard_normal((count, 1, 2)) * some(rng, count, 0.6)[:, None, None]
        phase = rng.uniform(0, TURN, (count, 1, 2))
        path = path + height * np.sin(TURN * often * rows + phase) / often / 6
    return np.diff(path, axis=1)


def smooth(rng: Rng, count: int, time: int) -> Moves:
    """Return velocities that are Gaussian processes, smooth or rough, around a mean.

    They are sums of 24 random waves. Their frequencies are Gaussian (a squared exponential kernel) or
    heavy-tailed (a rougher process).
    """
    length = log_uniform(rng, count, 2, 50)[:, None]
    often = rng.standard_normal((count, 24)) / length
    rough = some(rng, count, 0.4)[:, None]
    often = np.where(rough, often / (np.abs(rng.standard_normal((count, 24))) + 0.3), often)
    phase = rng.uniform(0, TURN, (count, 24))
    waves = np.cos(often[..., None] * np.arange(time) + phase[..., None])
    heights = rng.standard_normal((count, 2, 24)) / np.sqrt(12)
    velocity = (heights @ waves).swapaxes(1, 2) * log_uniform(rng, count, 0.2, 1)[:, None, None]
    return velocity + rng.standard_normal((count, 1, 2)) * some(rng, count, 0.5)[:, None, None]


def linear(rng: Rng, count: int, time: int) -> Moves:
    """Return outputs of stable linear systems with two damped oscillations, driven by noise."""
    state = rng.standard_normal((count, 4)) * log_uniform(rng, count, 0.1, 3)[:, None]
    decay = 1 - log_uniform(rng, 2 * count, 0.005, 0.5).reshape(count, 2)
    angle = TURN * log_uniform(rng, 2 * count, 0.005, 0.4).reshape(count, 2)
    c, s = decay * np.cos(angle), decay * np.sin(angle)
    fresh = np.sqrt(1 - decay**2).repeat(2, 1) * log_uniform(rng, count, 0.01, 1)[:, None]
    reads, at = rng.standard_normal((count, 2, 4)), np.empty((count, time, 2))
    mean = rng.standard_normal((count, 2)) * some(rng, count, 0.5)[:, None]
    for t in range(time):
        a, b = state[:, 0::2], state[:, 1::2]
        state = np.stack([c * a - s * b, s * a + c * b], -1).reshape(count, 4)
        state = state + fresh * rng.standard_normal((count, 4))
        at[:, t] = (reads @ state[..., None])[..., 0] + mean
    return at


def junctions(rng: Rng, count: int, time: int) -> Moves:
    """Return straight paths with up to three bends, by a right angle or a random one.

    A bend takes some rows. Around its start the track may slow down.
    """
    heading = np.repeat(rng.uniform(0, TURN, count)[:, None], time, 1)
    pace = np.ones((count, time))
    rows = np.arange(time)
    for _ in range(3):
        at, takes = rng.integers(2, 2 * time, count), log_uniform(rng, count, 1, 12)
        angle = np.where(
            some(rng, count, 0.6), np.pi / 2 * rng.choice([-1, 1], count), rng.normal(0, 1, count)
        )
        done = np.clip((rows - at[:, None]) / takes[:, None], 0, 1)
        heading += angle[:, None] * done
        slower = rng.uniform(0.2, 1.0, count) * some(rng, count, 0.5)
        near = np.exp(-(((rows - at[:, None]) / (takes[:, None] + 1)) ** 2))
        pace *= 1 - slower[:, None] * near
    heading += mean_reverting(
        rng, time, 1 - log_uniform(rng, count, 0.05, 1), log_uniform(rng, count, 0.002, 0.05)
    )[..., 0]
    return along(heading, pace)


def resting(rng: Rng, count: int, time: int) -> Moves:
    """Return tracks that stay near a place: a position that reverts to it, or moves by diffusion."""
    memory = 1 - log_uniform(rng, count, 0.003, 1.0)
    place = mean_reverting(rng, time + 1, memory, np.ones(count), 2)
    drift = rng.standard_normal((count, 1, 2)) * log_uniform(rng, count, 0.001, 0.3)[:, None, None]
    return np.diff(place, axis=1) + drift


KINDS = {
    "steady": steady,
    "correlated": correlated,
    "turning": turning,
    "strokes": strokes,
    "goals": goals,
    "oscillating": oscillating,
    "smooth": smooth,
    "linear": linear,
    "junctions": junctions,
    "resting": resting,
}
