"""Settings of the documentation's builder; `make docs` runs it with warnings as errors."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import generate  # noqa: E402
from docutils import nodes  # noqa: E402
from docutils.utils.math import MathError  # noqa: E402
from docutils.utils.math.latex2mathml import tex2mathml  # noqa: E402
from sphinx.util import logging  # noqa: E402

project = "LAPACK AI"
author = "the authors of LAPACK AI"
copyright = "the authors of LAPACK AI, MIT or Apache-2.0"
release = re.search(r'^version = "(.+)"', (HERE.parent / "pyproject.toml").read_text(), re.MULTILINE)[1]
version = release

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence", "attrs_block", "attrs_inline"]
myst_heading_anchors = 3
exclude_patterns = ["_generated/*.md"]

# In docstrings `name` is a piece of code.
default_role = "code"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_param = False
# The modules where things live are private; users know one name.
add_module_names = False

html_theme = "furo"
html_title = f"LAPACK AI {release}"
html_copy_source = False
html_show_sphinx = False
templates_path: list[str] = []
pygments_style = "friendly"
pygments_dark_style = "monokai"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def _mathml(node: nodes.Element, as_block: bool) -> str:
    try:
        return tex2mathml(node.astext(), as_block=as_block)
    except MathError as error:
        logging.getLogger(__name__).warning("%s: %s", error, node.astext(), location=node)
        return ""


def _inline_math(translator: Any, node: nodes.math) -> None:
    translator.body.append(_mathml(node, as_block=False))
    raise nodes.SkipNode


def _display_math(translator: Any, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="math">{_mathml(node, as_block=True)}</div>')
    raise nodes.SkipNode


_plain: dict[str, list[str]] = {}


def _keep(_app: Any, what: str, name: str, _value: Any, _options: Any, lines: list[str]) -> None:
    if what in {"attribute", "property"}:
        _plain[name] = list(lines)


def _restore(_app: Any, _what: str, name: str, _value: Any, _options: Any, lines: list[str]) -> None:
    # napoleon takes what stands before a colon in an attribute's text for its type.
    lines[:] = _plain.pop(name, lines)


def _public_bases(_app: Any, _name: str, _value: Any, _options: Any, bases: list[type]) -> None:
    bases[:] = [base for base in bases if not base.__name__.startswith("_")]


def setup(app: Any) -> None:
    """Formulas become MathML, which browsers show without a script from another server; figures are drawn first."""
    app.connect("autodoc-process-docstring", _keep, priority=400)
    app.connect("autodoc-process-docstring", _restore, priority=600)
    app.connect("autodoc-process-bases", _public_bases)
    app.add_html_math_renderer("mathml", inline_renderers=(_inline_math, None), block_renderers=(_display_math, None))
    app.connect("builder-inited", lambda _: generate.everything(HERE / "_generated"))


html_math_renderer = "mathml"
