"""The documentation says what is so: every example is executed, every figure drawn, every name and code explained."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import inspect
import io
import pkgutil
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import lapack_py as lap

for package in ("matplotlib", "sklearn"):
    pytest.importorskip(package)

pytestmark = pytest.mark.any_lapack

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if "_generated" not in page.parts)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

sys.path.insert(0, str(DOCS))
generate = importlib.import_module("generate")
sys.path.remove(str(DOCS))


def blocks(page: Path, language: str) -> list[tuple[int, str]]:
    """The fenced blocks of one language, each with the line where it starts, counted from 0."""
    text = page.read_text()
    fences = re.finditer(rf"^```{re.escape(language)}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(text.count("\n", 0, fence.start(1)), fence[1]) for fence in fences]


def run(test: doctest.DocTest) -> None:
    """Runs examples as a reader would, with the print options that the pages name."""
    said = io.StringIO()
    with np.printoptions(precision=4, suppress=True):
        doctest.DocTestRunner(verbose=False, optionflags=FLAGS).run(test, out=said.write)
    assert not said.getvalue(), said.getvalue()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_every_example_of_a_page_gives_what_the_page_prints(page):
    examples = []
    for line, text in blocks(page, "pycon"):
        for example in doctest.DocTestParser().get_examples(text, str(page)):
            example.lineno += line
            examples.append(example)
    name = str(page.relative_to(ROOT))
    run(doctest.DocTest(examples, {}, name, str(page), 0, None))
    assert examples or page.parent.name != "operations" or page.stem == "index", f"{name} has no example"


def test_the_examples_of_a_page_are_all_of_the_kind_that_is_executed():
    for page in PAGES:
        assert not blocks(page, "python"), f"{page}: python blocks are not executed; write pycon blocks with >>>"


def public_docstrings():
    modules = [lap]
    for found in pkgutil.walk_packages(lap.__path__, "lapack_py."):
        if "demo" not in found.name and not found.name.endswith(("__main__", "_native")):
            modules.append(importlib.import_module(found.name))
    texts = {module.__name__: module.__doc__ for module in modules}
    for name in lap.__all__:
        value = getattr(lap, name)
        texts[f"lapack_py.{name}"] = value.__doc__
        if inspect.isclass(value):
            texts |= {f"lapack_py.{name}.{member}": inspect.getdoc(v) for member, v in vars(value).items()}
    return {name: text for name, text in texts.items() if isinstance(text, str) and ">>>" in text}


@pytest.mark.parametrize("name", sorted(public_docstrings()))
def test_every_example_in_a_docstring_gives_what_it_says(name):
    scope = {"np": np, "lap": lap}
    run(doctest.DocTestParser().get_doctest(public_docstrings()[name], scope, name, None, 0))


def test_the_python_example_of_the_readme_runs():
    (block,) = blocks(ROOT / "README.md", "python")
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(compile(block[1], "README.md", "exec"), {})
    assert "LAP-E011" in said.getvalue()


def test_rust_examples_are_those_of_the_crates_which_their_own_tests_compile():
    comments = ""
    for source in (ROOT / "crates").rglob("src/**/*.rs"):
        comments += re.sub(r"^\s*//[!/] ?(# .*\n)?", "", source.read_text(), flags=re.MULTILINE)
    found = [block for page in PAGES for _, block in blocks(page, "rust")]
    assert found
    for block in found:
        assert block.strip() in comments, f"not in a crate's documentation:\n{block}"


@pytest.mark.parametrize("script", generate.FIGURES, ids=lambda script: script.stem)
def test_every_figure_is_drawn(script, tmp_path):
    assert generate.draw(script, tmp_path).stat().st_size > 5000


def test_every_figure_is_shown_on_a_page_and_every_shown_one_exists():
    shown = {name for page in PAGES for name in re.findall(r"_generated/(\w+)\.png", page.read_text())}
    assert shown == {script.stem for script in generate.FIGURES}


def test_every_operation_has_a_page_and_every_page_an_operation():
    pages = generate.documented()
    operations = {name for name in lap.__all__ if generate.is_operation(getattr(lap, name))}
    assert operations - set(pages) == set(), "operations without a page in docs/operations"
    assert set(pages) - set(lap.__all__) == set(), "pages of operations that are not there"


def test_every_public_name_is_in_the_api_list():
    text = generate.api_list()
    for name in lap.__all__:
        assert re.search(rf"lapack_py\.{name}\b|^\| \[{name}\]", text, re.MULTILINE), name


def test_every_code_has_a_meaning_a_cause_and_a_page():
    codes = generate.codes()
    assert len(codes) >= 45
    for code in codes:
        assert code.meaning, code
        assert code.cause, code
        assert (DOCS / "errors" / f"{code.number}.md").is_file(), f"no page of {code.number}; run docs/generate.py"


def test_the_pages_of_codes_are_what_the_catalogue_says():
    pages = generate.error_pages()
    found = {page.stem: page.read_text() for page in (DOCS / "errors").glob("*.md")}
    assert set(found) == set(pages)
    for name, text in pages.items():
        assert found[name] == text, f"docs/errors/{name}.md is stale; run docs/generate.py"
    assert "| N+1..2N |" in pages["LAP-E011"]
    assert "`CL_INVALID_BUFFER_SIZE`" in pages["LAP-E033"]


def test_every_section_of_the_errors_page_is_of_a_code():
    sections = re.findall(r"^## (LAP-\S+)$", (DOCS / "errors.md").read_text(), re.MULTILINE)
    assert len(sections) >= 25
    assert set(sections) <= {code.number for code in generate.codes()}


def test_the_table_of_codes_has_causes_and_fixes_in_full():
    rows = {code.number: code for code in generate.codes()}
    assert rows["LAP-E010"].cause == "a row or column is zero, repeated, or a combination of others"
    assert rows["LAP-E010"].fixes[0] == "use lstsq for the least-norm solution. (solve)"
    assert rows["LAP-E013"].fixes == rows["LAP-E012"].fixes
    assert len(rows["LAP-E011"].fixes) >= 3


def test_every_setting_that_is_read_is_explained():
    page = (DOCS / "configuration.md").read_text()
    sources = [*(ROOT / "crates").rglob("src/**/*.rs"), *(ROOT / "python").rglob("*.py")]
    read = {name for source in sources for name in re.findall(r'"(LAPACK_[A-Z_]+)"', source.read_text())}
    assert {"LAPACK_AI_LIBRARY", "LAPACK_LOG_LEVEL"} <= read
    for name in sorted(read):
        assert f"`{name}`" in page, name
