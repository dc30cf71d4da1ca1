"""Sphinx: MyST pages, the API reference from docstrings, help texts as the commands print them."""

import contextlib
import io
import os
import re

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from vrnn import __version__
from vrnn.cli.main import main

project = "vrnn"
author = "the vrnn authors"
version = release = __version__
html_theme = "furo"
html_title = f"vrnn {__version__}"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
autodoc_typehints = "none"  # shapes are in the text
autodoc_member_order = "bysource"
napoleon_use_ivar = True

SPAN = re.compile(r"(`+.+?`+|:\w+(?: \S+)?:(?= |$))")


class HelpText(SphinxDirective):
    """The help text of a command; its argument is the words after `vrnn`."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        said, width = io.StringIO(), os.environ.get("COLUMNS")
        os.environ["COLUMNS"] = "84"
        with contextlib.redirect_stdout(said):
            code = main([*self.arguments[0].split(), "--help"])
        os.environ.pop("COLUMNS") if width is None else os.environ.update(COLUMNS=width)
        if code:
            raise self.error(f"vrnn {self.arguments[0]} --help ended with code {code}")
        return [nodes.literal_block(text=said.getvalue(), language="text")]


def escape(app, what, name, obj, options, lines: list[str]) -> None:
    """Make a plain-text docstring safe for reStructuredText; doctests and marked-up spans stay."""
    _keep_equations(lines)
    literal, doctest = False, False
    for i, line in enumerate(lines):
        literal = line == "::" or (literal and (not line.strip() or line.startswith("    ")))
        doctest = line.lstrip().startswith(">>>") or (doctest and bool(line.strip()))
        if not doctest and not literal:
            parts = SPAN.split(line)
            parts[::2] = [re.sub(r"([\\*_|])", r"\\\1", part) for part in parts[::2]]
            parts[1::2] = [re.sub(r"^`([^`]+)`$", r"``\1``", part) for part in parts[1::2]]
            lines[i] = "".join(parts)


def _keep_equations(lines: list[str]) -> None:
    """Mark indented paragraphs under plain text as literal, so that equations keep their lines."""
    for i in range(len(lines) - 1, 1, -1):
        starts = lines[i].startswith("    ") and not lines[i - 1].strip()
        before = next((line for line in reversed(lines[:i]) if line.strip()), "")
        if starts and not before.startswith((" ", ":", "..")):
            lines[i:i] = ["::", ""]


def setup(app) -> None:
    app.add_directive("help-text", HelpText)
    app.connect("autodoc-process-docstring", escape, priority=900)  # after napoleon
