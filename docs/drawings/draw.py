"""Draw the wiring of every system as SVG, next to this file: `python docs/drawings/draw.py [folder]`.

Circle: random variable. Box: deterministic. Shaded: observed. Double border: learned constant. A pill marks a
term of the objective. The legend of a drawing names what the drawing uses. Standard library only.
"""

import itertools
import math
import re
import sys
from pathlib import Path

INK, MUTED, SHADE, FEEDBACK, SCORE, KL = (
    "#1f2937",
    "#6b7280",
    "#d3d8e0",
    "#d9480f",
    "#2b7a3d",
    "#1864ab",
)
FONT = "'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif"
WIDTH, LEGEND = 760, 592
RADIUS = 17
NORMAL = "N(0, I)"


def tspans(label, size):
    """Turn `z'_{t+1}` into SVG: lower and upper indices are shifted, small text."""
    out, shift = [], 0.0
    for mark, braced, plain in re.findall(r"([_^])(\{[^}]*\}|.)|([^_^]+)", label):
        wanted = {"_": 0.28, "^": -0.38, "": 0.0}[mark] * size
        scale = 0.72 if mark else 1.0
        text = (braced.strip("{}") or plain).replace("'", "\u2032").replace("<", "&lt;")
        out.append(
            f'<tspan dy="{wanted - shift:.1f}" font-size="{size * scale:.1f}">{text}</tspan>'
        )
        shift = wanted
    return "".join(out)


class Drawing:
    """Nodes by name, arrows between their borders, and a legend of the kinds that were used."""

    def __init__(self, title, height=260, dashed="in training only"):
        self.height, self.dashed = height, dashed
        self.nodes, self.edges, self.shapes, self.used = {}, [], [], {}
        self.text(18, 25, title, size=13, colour=INK, anchor="start", weight="600")

    def text(
        self, x, y, label, size=11.0, colour=MUTED, anchor="middle", weight="400", style="normal"
    ):
        self.shapes.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}" '
            f'font-weight="{weight}" font-style="{style}">{tspans(label, size)}</text>'
        )

    def circle(self, name, x, y, observed=False, label=None, r=RADIUS, legend=True):
        self.nodes[name] = (x, y, r, None)
        if legend:
            self.used["observed" if observed else "random"] = True
        fill = SHADE if observed else "white"
        border = f'fill="{fill}" stroke="{INK}" stroke-width="1.4"'
        self.shapes.append(f'<circle cx="{x}" cy="{y}" r="{r}" {border}/>')
        self.text(x, y + 5, name if label is None else label, 14, INK, style="italic")

    def box(self, name, x, y, learned=False, label=None, w=36, h=30, legend=True):
        self.nodes[name] = (x, y, w / 2, h / 2)
        if legend:
            self.used["learned" if learned else "box"] = True
        for inset in (0, 3) if learned else (0,):
            self.shapes.append(
                f'<rect x="{x - w / 2 + inset}" y="{y - h / 2 + inset}" width="{w - 2 * inset}" '
                f'height="{h - 2 * inset}" rx="{4 - inset / 2}" fill="white" stroke="{INK}" '
                f'stroke-width="{1.1 if learned else 1.4}"/>'
            )
        label = name if label is None else label
        word = len(label) > 2 and label.isalpha()
        self.text(x, y + 5, label, 12 if word else 14, INK, style="normal" if word else "italic")

    def words(self, name, x, y, label, reach=22):
        """A fixed distribution or an ellipsis: text that arrows can leave and enter."""
        self.nodes[name] = (x, y, reach, 9)
        self.text(x, y + 4, label, 12, MUTED, style="italic")

    def dots(self, x, y, *sources, kind="solid"):
        """The sequence goes on."""
        name = f"dots{x},{y}"
        self.words(name, x, y, "\u22ef", reach=8)
        for source in sources:
            self.arrow(source, name, kind=kind)

    def _outside(self, name, x, y, gap):
        cx, cy, a, b = self.nodes[name]
        if b is None:
            return math.hypot(x - cx, y - cy) > a + gap
        return abs(x - cx) > a + gap or abs(y - cy) > b + gap

    def arrow(self, a, b, kind="solid", bend=0.0, via=None):
        """Arrow from border to border; `bend` pushes its middle to its left, `via` lists its corners."""
        self.used[kind] = True
        (xa, ya), (xb, yb) = self.nodes[a][:2], self.nodes[b][:2]
        if via is None:
            length = math.hypot(xb - xa, yb - ya)
            bow = [(t, 4 * bend * t * (1 - t) / length) for t in (i / 400 for i in range(401))]
            path = [
                (xa + (xb - xa) * t + (yb - ya) * b, ya + (yb - ya) * t - (xb - xa) * b)
                for t, b in bow
            ]
        else:
            legs = itertools.pairwise([(xa, ya), *via, (xb, yb)])
            path = [
                (p[0] + (q[0] - p[0]) * t / 100, p[1] + (q[1] - p[1]) * t / 100)
                for p, q in legs
                for t in range(101)
            ]
        path = [p for p in path if self._outside(a, *p, 1) and self._outside(b, *p, 2)]
        self.edges.append(line(path, kind))

    def arrows(self, *chains, kind="solid"):
        """Arrows along each chain of names, written `a b c` for a -> b -> c."""
        for chain in chains:
            for a, b in itertools.pairwise(chain.split()):
                self.arrow(a, b, kind)

    def pill(self, node, kind, dx=16, dy=-18):
        """Mark `node` as a term of the objective: `score` (log p), `kl` (in the bound) or `regulariser`."""
        self.used[kind] = True
        x, y = self.nodes[node][:2]
        self.shapes.append(pill(x + dx, y + dy, kind))

    def svg(self):
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" width="{WIDTH}" '
            f'height="{self.height}" font-family="{FONT}">',
            f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{self.height - 1}" rx="12" '
            f'fill="white" stroke="#d1d5db"/>',
            f'<path d="M{LEGEND - 16} 18V{self.height - 18}" stroke="#e5e7eb"/>',
        ]
        self._legend()
        return "\n".join(parts + self.edges + self.shapes) + "\n</svg>\n"

    def _legend(self):
        labels = {
            "random": "random variable",
            "observed": "observed",
            "box": "deterministic",
            "learned": "learned constant",
            "solid": "computation",
            "dashed": self.dashed,
            "feedback": "fed back",
            "score": "scored",
            "kl": "in the bound",
            "regulariser": "regulariser only",
        }
        used = [kind for kind in labels if kind in self.used]
        y = self.height / 2 - 11 * (len(used) - 1)
        for kind in used:
            x = LEGEND + 14
            if kind in ("random", "observed"):
                self.circle("", x, y, observed=kind == "observed", label="", r=7, legend=False)
            elif kind in ("box", "learned"):
                self.box("", x, y, learned=kind == "learned", label="", w=18, h=14, legend=False)
            elif kind in ("solid", "dashed", "feedback"):
                self.edges.append(line([(x - 14 + i, y) for i in range(29)], kind))
            else:
                self.shapes.append(pill(x, y, kind))
            self.text(x + 22, y + 4, labels[kind], 11, MUTED, anchor="start")
            y += 22


def line(path, kind):
    colour = FEEDBACK if kind == "feedback" else INK
    (x, y), back = (
        path[-1],
        next(p for p in reversed(path) if math.dist(p, path[-1]) > 6 or p is path[0]),
    )
    angle = math.atan2(y - back[1], x - back[0])
    wing = [(x - 8 * math.cos(angle + s * 0.4), y - 8 * math.sin(angle + s * 0.4)) for s in (1, -1)]
    shaft = [p for p in path if math.dist(p, (x, y)) > 5] or path[:1]
    shaft = [shaft[0], *shaft[1:-1:8], shaft[-1]]
    dash = ' stroke-dasharray="4.5 3"' if kind == "dashed" else ""
    width = 2 if kind == "feedback" else 1.3
    return (
        f'<polyline points="{points(shaft)}" fill="none" stroke="{colour}" stroke-width="{width}"{dash}/>'
        f'<polygon points="{points([(x, y), *wing])}" fill="{colour}"/>'
    )


def points(path):
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in path)


def pill(x, y, kind):
    label, w, colour = ("log p", 32, SCORE) if kind == "score" else ("KL", 22, KL)
    look = f'fill="{colour}" stroke="{colour}"'
    if kind == "regulariser":
        look = f'fill="white" stroke="{colour}" stroke-dasharray="2.5 2"'
    ink = colour if kind == "regulariser" else "white"
    return (
        f'<rect x="{x - w / 2}" y="{y - 7}" width="{w}" height="14" rx="7" {look}/>'
        f'<text x="{x}" y="{y + 3.5}" font-size="10" fill="{ink}" text-anchor="middle">{label}</text>'
    )


def rnn(test):
    d = Drawing(f"RNN: {'test' if test else 'train'}", 230)
    for t in range(4):
        d.box(f"h_{t}", 60 + 150 * t, 90, learned=t == 0)
    for t in (1, 2, 3):
        given = not test or t == 1
        d.circle(f"x_{t}", 150 * t - 15, 172, observed=given)
        d.arrows(f"h_{t - 1} h_{t}", f"h_{t - 1} x_{t}")
        d.arrow(f"x_{t}", f"h_{t}", "solid" if given else "feedback")
        if not test:
            d.pill(f"x_{t}", "score", dx=0, dy=28)
    d.text(85, 140, "g", style="italic")
    d.text(184, 140, "f", style="italic")
    d.dots(562, 90, "h_3")
    return d


def rnn_supervised(test):
    d = Drawing(f"RNN, supervised: {'test' if test else 'train'}", 250)
    for t in range(4):
        d.box(f"h_{t}", 60 + 150 * t, 138, learned=t == 0)
    for t in (1, 2, 3):
        d.circle(f"y_{t}", 60 + 150 * t, 68, observed=not test)
        d.circle(f"x_{t}", 60 + 150 * t, 208, observed=True)
        d.arrows(f"h_{t - 1} h_{t}", f"x_{t} h_{t} y_{t}")
        if not test:
            d.pill(f"y_{t}", "score", dx=37, dy=0)
    d.text(202, 107, "g", style="italic")
    d.text(202, 180, "f", style="italic")
    d.dots(562, 138, "h_3")
    return d


def seq2seq_next(test):
    d = Drawing(f"Seq2SeqVAE, next: {'test' if test else 'train'}")
    d.box("h'_0", 42, 72, learned=True)
    for t in (1, 2, 3):
        x, given = 155 * t - 45, not test or t == 1
        d.box(f"h_{t - 1}", x, 212, learned=t == 1)
        d.circle(f"z_{t}", x, 142)
        d.box(f"h'_{t}", x, 72)
        d.circle(f"x_{t}", x + 77, 142, observed=given)
        d.arrows(f"h_{t - 1} z_{t} h'_{t} x_{t}", f"h'_{t - 1} h'_{t}")
        if t > 1:
            d.arrow(f"h_{t - 2}", f"h_{t - 1}")
            d.arrow(f"x_{t - 1}", f"h_{t - 1}", "feedback" if test and t > 2 else "solid")
        if not test:
            d.pill(f"x_{t}", "score", dx=37, dy=0)
            d.pill(f"z_{t}", "regulariser", dx=22, dy=-15)
    d.dots(560, 212, "h_2")
    d.arrow("x_3", "dots560,212", "feedback" if test else "solid")
    d.dots(560, 72, "h'_3")
    return d


def seq2seq_same(test):
    d = Drawing(f"Seq2SeqVAE, same: {'test' if test else 'train'}", dashed="where x is observed")
    d.box("h'_0", 42, 72, learned=True)
    d.box("h_0", 42, 212, learned=True)
    for t in (1, 2, 3):
        x, given = 168 * t - 46, not test or t == 1
        d.circle(f"z_{t}", x, 142)
        d.box(f"h'_{t}", x, 72)
        d.circle(f"x_{t}", x + 74, 142, observed=given)
        d.arrows(f"z_{t} h'_{t} x_{t}", f"h'_{t - 1} h'_{t}")
        if given:
            d.box(f"h_{t}", x, 212)
            d.arrows(f"h_{t - 1} h_{t}", f"x_{t} h_{t} z_{t}", kind="dashed")
        if not test or not given:
            d.words(f"n_{t}", x - 54, 108, NORMAL)
            d.arrow(f"n_{t}", f"z_{t}")
        if not test:
            d.pill(f"x_{t}", "score", dx=0, dy=28)
            d.pill(f"z_{t}", "kl", dx=22, dy=-15)
    d.dots(562, 72, "h'_3")
    if not test:
        d.dots(562, 212, "h_3", kind="dashed")
    return d


def seq2seq_supervised(test):
    d = Drawing(f"Seq2SeqVAE, supervised: {'test' if test else 'train'}")
    d.box("h'_0", 42, 72, learned=True)
    d.box("h_0", 42, 212, learned=True)
    for t in (1, 2, 3):
        x = 172 * t - 36
        d.circle(f"x_{t}", x - 58, 142, observed=True)
        d.box(f"h_{t}", x, 212)
        d.circle(f"z_{t}", x, 142)
        d.box(f"h'_{t}", x, 72)
        d.circle(f"y_{t}", x + 58, 142, observed=not test)
        d.arrows(f"x_{t} h_{t} z_{t} h'_{t} y_{t}", f"h_{t - 1} h_{t}", f"h'_{t - 1} h'_{t}")
        if not test:
            d.pill(f"y_{t}", "score", dx=12, dy=-24)
            d.pill(f"z_{t}", "regulariser", dx=22, dy=-15)
    d.dots(566, 72, "h'_3")
    d.dots(566, 212, "h_3")
    return d


def rollout(latent, autoencode, test):
    """Step t turns (x_t, h_t, z_t) into x_{t+1}, h_{t+1}, z_{t+1}; `driven` adds a row of draws of z_0."""
    driven = latent == "driven"
    task = "autoencoding" if autoencode else "forecasting"
    d = Drawing(
        f"RolloutVAE, {latent}, {task}: {'test' if test else 'train'}",
        292 if driven else 260,
        dashed="where T is observed",
    )
    top, upper, row, low = (86, 142, 198, 254) if driven else (None, 72, 144, 216)
    coded = "dashed" if autoencode and not test else "solid"
    if autoencode and test:
        gaussian = "normal"
        d.words(gaussian, 106, top if driven else upper, NORMAL, reach=24)
    else:
        d.circle("T", 40, row, observed=True)
        d.box("enc", 106, row, w=42)
        d.text(40, row - 26, "x_{1:n}" if autoencode else "x_{\u2264 0}", 12, style="italic")
        d.arrow("T", "enc", coded)
        gaussian = "enc"
        if driven:
            gaussian = "table"
            d.box(gaussian, 106, top, label="\u03bc, s", w=42)
            d.arrow("enc", gaussian, coded)
    if driven:
        d.circle("z'_0", 172, upper)
        d.text(172, upper - 24, NORMAL, 12, style="italic")
    else:
        d.circle("z_0", 172, upper)
        d.arrow(gaussian, "z_0", coded)
    d.box("h_0", 172, row, learned=autoencode and driven)
    if autoencode:
        d.box("x_0", 172, low, learned=True)
        if not driven:
            d.arrow("z_0", "h_0")
    else:
        d.arrow("enc", "h_0")
        d.circle("x_0", 172, low, observed=True)
        d.arrow("T", "x_0", bend=-12)
    for t in (0, 1):
        x = 248 + 152 * t
        d.box(f"dec{t}", x, row, label="dec", w=42)
        d.arrow(f"x_{t}", f"dec{t}", "feedback" if test and t else "solid")
        d.box(f"h_{t + 1}", x + 76, row)
        d.circle(f"x_{t + 1}", x + 76, low, observed=not test)
        d.arrows(f"h_{t} dec{t} h_{t + 1}", f"dec{t} x_{t + 1}")
        if driven:
            d.circle(f"draw{t}", x, top, label="z_0")
            d.box(f"f{t}", x, upper, label="f", w=42)
            d.box(f"z'_{t + 1}", x + 76, upper)
            d.arrow(gaussian, f"draw{t}", coded, via=[(106, top - 36), (x, top - 36)])
            d.arrows(f"draw{t} f{t} dec{t}", f"z'_{t} f{t} z'_{t + 1}")
        else:
            d.box(f"z_{t + 1}", x + 76, upper)
            d.arrows(f"z_{t} dec{t} z_{t + 1}")
        if not test:
            d.pill(f"x_{t + 1}", "score", dx=-36, dy=0)
            if driven:
                d.pill(f"draw{t}", "kl" if autoencode else "regulariser", dx=24, dy=-14)
    if not test and not driven:
        d.pill("z_0", "kl" if autoencode else "regulariser", dx=24, dy=-14)
    d.dots(550, row, "h_2")
    d.arrow("x_2", f"dots550,{row}", "feedback" if test else "solid")
    d.dots(550, upper, "z'_2" if driven else "z_2")
    return d


def vrnn(test):
    d = Drawing(f"VRNN: {'test' if test else 'train'}", 270, dashed="where x is observed")
    for t in range(4):
        d.box(f"h_{t}", 60 + 150 * t, 145, learned=t == 0)
    for t in (1, 2, 3):
        h, z, x, given = f"h_{t - 1}", f"z_{t}", f"x_{t}", not test or t == 1
        d.circle(z, 150 * t - 15, 72)
        d.circle(x, 150 * t - 15, 218, observed=given)
        d.arrows(f"{h} h_{t}", f"{h} {z} h_{t}", f"{h} {x}")
        d.arrow(z, x, bend=5 if given else 0)
        d.arrow(x, f"h_{t}", "solid" if given else "feedback")
        if given:
            d.arrow(h, z, "dashed", bend=13)
            d.arrow(x, z, "dashed", bend=5)
        if not test:
            d.pill(z, "kl", dx=23, dy=-14)
            d.pill(x, "score", dx=37, dy=0)
    d.dots(562, 145, "h_3")
    return d


def vrnn_supervised(posterior, test):
    """The conditional posterior (dashed) also sees y_t; the other one is the prior itself."""
    d = Drawing("VRNN, supervised" + (": test" if test else f", {posterior} posterior: train"), 300)
    conditional = posterior == "conditional" and not test
    for t in range(4):
        d.box(f"h_{t}", 60 + 150 * t, 185, learned=t == 0)
    for t in (1, 2, 3):
        h, z, x, y = f"h_{t - 1}", f"z_{t}", f"x_{t}", f"y_{t}"
        d.circle(y, 150 * t - 15, 66, observed=not test)
        d.circle(z, 150 * t - 15, 130)
        d.circle(x, 150 * t - 15, 250, observed=True)
        d.arrows(f"{h} h_{t}", f"{h} {z} h_{t}", f"{h} {y}", f"{x} h_{t}")
        d.arrow(x, z, bend=-5 if conditional else 0)
        d.arrow(x, y, bend=-32)
        d.arrow(z, y, bend=5 if conditional else 0)
        if conditional:
            d.arrow(y, z, "dashed", bend=5)
            d.arrow(x, z, "dashed", bend=5)
            d.arrow(h, z, "dashed", bend=-10)
        if not test:
            d.pill(y, "score", dx=37, dy=0)
            d.pill(z, "kl" if conditional else "regulariser", dx=52, dy=-8)
    d.dots(562, 185, "h_3")
    return d


def dmm(test):
    d = Drawing(f"DMM: {'test' if test else 'train'}", 270, dashed="where x is observed")
    d.box("z_0", 42, 84, learned=True)
    for t in (1, 2, 3):
        x, given = 168 * t - 46, not test or t == 1
        d.circle(f"z_{t}", x, 84)
        d.circle(f"x_{t}", x + 74, 154, observed=given)
        d.arrows(f"z_{t - 1} z_{t} x_{t}")
        if given:
            d.box(f"a_{t}", x, 224)
            d.arrow(f"z_{t - 1}", f"z_{t}", "dashed", bend=14)
            d.arrows(f"x_{t} a_{t} z_{t}", kind="dashed")
        if not test:
            d.pill(f"x_{t}", "score", dx=0, dy=28)
            d.pill(f"z_{t}", "kl", dx=0, dy=-29)
    d.dots(562, 84, "z_3")
    if not test:
        d.dots(562, 224)
        d.arrows("dots562,224 a_3 a_2 a_1", kind="dashed")
    return d


def srnn(test):
    d = Drawing(f"SRNN: {'test' if test else 'train'}", 310, dashed="where x is observed")
    d.box("z_0", 36, 194, learned=True)
    for t in (1, 2, 3):
        x, given = 160 * t - 44, not test or t == 1
        d.box(f"d_{t}", x, 72, learned=t == 1)
        d.circle(f"z_{t}", x, 194)
        d.circle(f"x_{t}", x + 76, 133, observed=given)
        d.arrows(f"d_{t} x_{t}", f"z_{t - 1} z_{t}")
        d.arrow(f"d_{t}", f"z_{t}", bend=-5 if given else 0)
        d.arrow(f"z_{t}", f"x_{t}", bend=-5 if given else 0)
        if t > 1:
            d.arrow(f"d_{t - 1}", f"d_{t}")
            d.arrow(f"x_{t - 1}", f"d_{t}", "feedback" if test and t > 2 else "solid")
        if given:
            d.box(f"a_{t}", x + 76, 262)
            d.arrow(f"z_{t - 1}", f"z_{t}", "dashed", bend=-14)
            d.arrow(f"d_{t}", f"z_{t}", "dashed", bend=5)
            d.arrow(f"x_{t}", f"z_{t}", "dashed", bend=-5)
            d.arrows(f"x_{t} a_{t} z_{t}", kind="dashed")
        if not test:
            d.pill(f"x_{t}", "score", dx=37, dy=0)
            d.pill(f"z_{t}", "kl", dx=0, dy=29)
    d.dots(562, 72, "d_3")
    d.arrow("x_3", "dots562,72", "feedback" if test else "solid")
    d.dots(562, 194, "z_3")
    if not test:
        d.dots(562, 262)
        d.arrows("dots562,262 a_3 a_2 a_1", kind="dashed")
    return d


def storn(test):
    d = Drawing(f"STORN: {'test' if test else 'train'}", 320, dashed="where x is observed")
    d.box("h_0", 36, 72, learned=True)
    d.box("x_0", 36, 142, learned=True)
    for t in (1, 2, 3):
        x, given = 158 * t - 43, not test or t == 1
        d.box(f"h_{t}", x, 72)
        d.circle(f"z_{t}", x, 142)
        d.circle(f"x_{t}", x + 79, 142, observed=given)
        d.arrows(f"h_{t - 1} h_{t}", f"z_{t} h_{t} x_{t}")
        d.arrow(f"x_{t - 1}", f"h_{t}", "feedback" if test and t > 2 else "solid")
        if given:
            d.box(f"a_{t}", x + 39.5, 208)
            d.box(f"b_{t}", x + 39.5, 274)
            d.arrows(f"x_{t} a_{t} z_{t}", kind="dashed")
            d.arrow(f"x_{t}", f"b_{t}", "dashed", bend=20)
            d.arrow(f"b_{t}", f"z_{t}", "dashed", bend=20)
        if not test or not given:
            d.words(f"n_{t}", x - 46, 178, NORMAL)
            d.arrow(f"n_{t}", f"z_{t}")
        if not test:
            d.pill(f"x_{t}", "score", dx=37, dy=0)
            d.pill(f"z_{t}", "kl", dx=22, dy=-15)
    d.dots(562, 72, "h_3")
    d.arrow("x_3", "dots562,72", "feedback" if test else "solid")
    if not test:
        d.dots(562, 208)
        d.arrows("dots562,208 a_3 a_2 a_1", "b_1 b_2 b_3", kind="dashed")
        d.dots(562, 274, "b_3", kind="dashed")
    return d


def rssm(test):
    d = Drawing(f"RSSM: {'test' if test else 'train'}", 300, dashed="where x is observed")
    d.box("h_0", 36, 184, learned=True)
    d.box("z_0", 36, 104, learned=True)
    for t in (1, 2, 3):
        x, given = 160 * t - 34, not test or t == 1
        d.box(f"h_{t}", x, 184)
        d.circle(f"z_{t}", x, 104)
        d.circle(f"x_{t}", x + 76, 64, observed=given)
        d.circle(f"u_{t}", x, 258, observed=True)
        d.arrows(f"h_{t - 1} h_{t}", f"z_{t - 1} h_{t}", f"u_{t} h_{t} x_{t}")
        d.arrow(f"h_{t}", f"z_{t}", bend=-5 if given else 0)
        d.arrow(f"z_{t}", f"x_{t}", bend=-5 if given else 0)
        if given:
            d.arrow(f"h_{t}", f"z_{t}", "dashed", bend=5)
            d.arrow(f"x_{t}", f"z_{t}", "dashed", bend=-5)
        if not test:
            d.pill(f"x_{t}", "score", dx=37, dy=0)
            d.pill(f"z_{t}", "kl", dx=0, dy=-29)
    d.dots(562, 184, "h_3", "z_3")
    return d


def main(folder):
    for test in (False, True):
        when = "test" if test else "train"
        drawings = {
            "rnn": rnn(test),
            "rnn_supervised": rnn_supervised(test),
            "seq2seq_next": seq2seq_next(test),
            "seq2seq_same": seq2seq_same(test),
            "seq2seq_supervised": seq2seq_supervised(test),
            "vrnn": vrnn(test),
            "vrnn_supervised": vrnn_supervised("encoder", test),
            "dmm": dmm(test),
            "srnn": srnn(test),
            "storn": storn(test),
            "rssm": rssm(test),
        }
        if not test:
            drawings["vrnn_supervised_conditional"] = vrnn_supervised("conditional", test)
        for latent in ("carried", "driven"):
            drawings[f"rollout_{latent}"] = rollout(latent, False, test)
            drawings[f"rollout_autoencode_{latent}"] = rollout(latent, True, test)
        for name, drawing in drawings.items():
            (folder / f"{name}_{when}.svg").write_text(drawing.svg(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
