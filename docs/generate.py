"""What the documentation takes from the code instead of repeating it: figures, error codes, the API list.

`everything(folder)` is called by `conf.py` before a build; the tests call the parts. The pages of the codes in
`errors/` are committed, so that they can be read without a build; `python docs/generate.py` writes them anew.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent
FIGURES = sorted((HERE / "figures").glob("*.py"))


def everything(folder: Path) -> None:
    """Writes the figures, the table of codes and the API list into `folder`."""
    folder.mkdir(exist_ok=True)
    for script in FIGURES:
        draw(script, folder)
    (folder / "codes.md").write_text(codes_table(codes()))
    (folder / "api.md").write_text(api_list())
    results = json.loads((ROOT / "bench/results/cpu/conditioning.json").read_text())
    (folder / "conditioning.md").write_text(conditioning_tables(results))


def draw(script: Path, folder: Path) -> Path:
    """Runs one script of `docs/figures` and saves what its `draw()` gives."""
    spec = importlib.util.spec_from_file_location(f"figures_{script.stem}", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = folder / f"{script.stem}.png"
    module.draw().savefig(path, dpi=130)
    return path


@dataclass
class Code:
    """One error or warning, as the Rust sources state it."""

    name: str
    number: str
    meaning: str
    cause: str = ""
    fixes: list[str] = field(default_factory=list)


def codes() -> list[Code]:
    """Every code: meaning (`code.rs`), usual cause (`catalogue/conditions.rs`) and usual fixes (`render.rs`)."""
    error = (ROOT / "crates/core/src/code.rs").read_text()
    render = (ROOT / "crates/core/src/render.rs").read_text()
    found = re.findall(r"/// `(LAP-[EWI]\d+)`: (.+?)\.\n\s+(\w+),", error)
    known = {name: Code(name, number, meaning) for number, meaning, name in found}
    conditions = (ROOT / "crates/core/src/catalogue/conditions.rs").read_text()
    for name, cause in re.findall(r'code: Code::(\w+),.*?cause: "(.+?)",\n', conditions, re.DOTALL):
        known[name].cause = re.sub(r" ?\\\n\s*", " ", cause)
    # One arm reaches from its pattern to the next one.
    fixes = re.split(r"\n        \(", _body(render, "fn usual_fixes"))[1:]
    for arm in fixes:
        pattern, _, texts = arm.partition("=>")
        of = re.search(r'"(\w+)"', pattern)
        where = f" ({of[1]})" if of else ""
        for name in re.findall(r"(?:Code::)(\w+)", pattern):
            known[name].fixes += [
                f"{text}{where}" for text in re.findall(r'\(?(?:Safe|Maybe|NeedsValue),\s*"(.+?)"', texts)
            ]
    return list(known.values())


def _body(source: str, function: str) -> str:
    start = source.index(function)
    return source[start : source.index("\n}\n", start)]


def codes_table(all_codes: list[Code]) -> str:
    """The codes as a Markdown table."""
    from lapack_py import _errors, _warnings

    lines = ["| code | class | what | usual cause | usual fix |", "|---|---|---|---|---|"]
    for code in all_codes:
        classes: dict[str, type] = {**_errors._CLASSES, **_warnings._CLASSES}
        kind = classes.get(code.number, _errors.LapackError).__name__
        fixes = "<br>".join(code.fixes) or "as the message says"
        cells = [f"[{code.number}](/errors/{code.number}.md)", f"`{kind}`", code.meaning, code.cause, fixes]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def error_pages() -> dict[str, str]:
    """A page for each code of the catalogue, by its name without suffix."""
    from lapack_py import _errors, _native, _warnings

    classes: dict[str, type] = {**_errors._CLASSES, **_warnings._CLASSES}
    with_examples = re.findall(r"^## (LAP-[EWI]\d+)$", (HERE / "errors.md").read_text(), re.MULTILINE)
    pages = {}
    for condition in json.loads(_native.catalogue()):
        number = condition["code"]
        base = _warnings.LapackWarning if condition["severity"] == "warning" else _errors.LapackError
        lines = [f"# {number}: {condition['title']}", "", condition["meaning"], ""]
        lines += ["| | |", "|---|---|", f"| severity | {condition['severity']} |"]
        lines += [f"| name | `{condition['name']}` |", f"| class in Python | `{classes.get(number, base).__name__}` |"]
        lines += [f"| usual cause | {condition['cause']} |", "", "## What helps", "", *_fix_list(condition["fixes"])]
        if number in with_examples:
            lines += ["", f"Examples and more words: [errors and warnings](../errors.md#{number.lower()})."]
        if condition["classes"]:
            lines += [
                "",
                "## INFO of LAPACK",
                "",
                "`i` is what INFO counts, from 1; N, M are the routine's dimensions.",
            ]
        for info_class in condition["classes"]:
            lines += ["", f"### {info_class['name']}", "", *_info_class(info_class)]
        if condition["opencl"]:
            lines += ["", "## Errors of OpenCL", "", "| | | |", "|---:|---|---|"]
            for code in condition["opencl"]:
                what = code["summary"].removeprefix("OpenCL: ").rsplit(" (", 1)[0]
                lines.append(f"| {code['number']} | `{code['name']}` | {what} |")
        pages[number] = "\n".join(lines) + "\n"
    return pages


def _fix_list(fixes: list[dict[str, str]]) -> list[str]:
    return [f"- {_spelled(fix['text'])} ({fix['applicability']})" for fix in fixes]


def _info_class(info_class: dict[str, Any]) -> list[str]:
    lines = [_spelled(info_class["meaning"]), "", f"Usual cause: {_spelled(info_class['cause'])}.", ""]
    lines += [*_fix_list(info_class["fixes"]), "", "| INFO | routines | |", "|---|---|---|"]
    for entry in info_class["ranges"]:
        remarks = [] if entry["documented"] else ["not in LAPACK's documentation"]
        remarks += [_spelled(entry["says"])] * bool(entry["says"])
        remarks += [f"if {entry['when']}"] * bool(entry["when"])
        routines = ", ".join(f"`{name}`" for name in entry["routines"])
        lines.append(f"| {entry['range']} | {routines} | {'; '.join(remarks)} |")
    lines += [
        line
        for note in info_class["notes"]
        for line in ("", f"{', '.join(note['routines'])}: {_spelled(note['text'])}")
    ]
    return lines


_PLACEHOLDERS = {"{i}": "i", "{z}": "i - 1", "{a}": "first", "{b}": "last", "{info}": "INFO", "{p}": "-INFO"}


def _spelled(text: str) -> str:
    """A text of a class with words in place of the numbers that INFO gives."""
    for placeholder, word in _PLACEHOLDERS.items():
        text = text.replace(placeholder, word)
    return text


def write_error_pages() -> None:
    """Writes the pages of all codes, and removes those of codes that are not there."""
    folder = HERE / "errors"
    folder.mkdir(exist_ok=True)
    pages = error_pages()
    for old in folder.glob("*.md"):
        if old.stem not in pages:
            old.unlink()
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text)


def conditioning_tables(results: dict[str, Any]) -> str:
    """What `bench/conditioning.py` counted: by the source of the estimate, and by the class of matrices."""
    titles = ["calls", "ill-conditioned", "missed", "missed, factor 10", "below eps", "warning missed", "false warning"]
    keys = ["calls", "ill", "missed", "missed_tenfold", "singular", "warning_missed", "warning_false"]
    text = ""
    for dtype in ("float64", "float32"):
        of_type = results[dtype]
        for title, part in (("source", "by_source"), ("order", "by_order"), ("class of matrices", "by_class")):
            text += f"\n| {dtype}: {title} | " + " | ".join(titles) + " |\n|---" + "|---:" * len(keys) + "|\n"
            rows = of_type[part] | {"all": of_type["all"]}
            for name, counts in rows.items():
                text += f"| {name} | " + " | ".join(f"{counts[key]}" for key in keys) + " |\n"
        text += f"\n| {dtype}: reported / true | calls | " + " | ".join(_QUANTILES.values()) + " |\n"
        text += "|---" + "|---:" * (1 + len(_QUANTILES)) + "|\n"
        for source, ratios in of_type["ratios"].items():
            cells = [f"{ratios['quantiles'][key]:.3g}" for key in _QUANTILES]
            text += f"| {source} | {ratios['calls']} | " + " | ".join(cells) + " |\n"
    return text


_QUANTILES = {"0.0": "least", "0.01": "1 %", "0.5": "median", "0.99": "99 %", "0.999": "99.9 %", "1.0": "largest"}


def documented() -> dict[str, str]:
    """Every function with a page of its own under `operations/`, and that page."""
    return {
        name: page.stem
        for page in sorted((HERE / "operations").glob("*.md"))
        for name in re.findall(r"autofunction:: lapack_py\.(\w+)", page.read_text())
    }


def is_operation(value: Any) -> bool:
    """Whether a public name is an operation rather than a class, a module or something about the process."""
    if inspect.isclass(value) or not callable(value):
        return False
    return "return_report" in str(getattr(value, "__text_signature__", "") or inspect.signature(value))


def api_list() -> str:
    """Everything in `lapack_py.__all__`: operations as links to their pages, the rest in full."""
    import lapack_py

    pages = documented()
    operations, functions, results, errors, warnings = [], [], [], [], []
    for name in sorted(lapack_py.__all__, key=str.lower):
        value = getattr(lapack_py, name)
        if name in pages:
            line = (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
            operations.append(f"| [{name}](/operations/{pages[name]}.md) | {line} |")
        elif not inspect.isclass(value):
            kind = "autofunction" if callable(value) else "automodule"
            functions.append(f".. {kind}:: lapack_py.{name}\n")
        elif issubclass(value, Warning):
            warnings.append(f".. autoclass:: lapack_py.{name}()\n   :show-inheritance:\n")
        elif issubclass(value, Exception):
            errors.append(f".. autoclass:: lapack_py.{name}()\n   :show-inheritance:\n")
        else:
            # The fields of a named tuple say no more than its own text.
            members = "" if issubclass(value, tuple) else "   :members:\n"
            results.append(f".. autoclass:: lapack_py.{name}()\n{members}")
    text = "## Operations\n\n| | |\n|---|---|\n" + "\n".join(operations) + "\n"
    for title, entries in [
        ("The process", functions),
        ("Results and reports", results),
        ("Errors", errors),
        ("Warnings", warnings),
    ]:
        text += f"\n## {title}\n\n```{{eval-rst}}\n" + "\n".join(entries) + "```\n"
    return text


if __name__ == "__main__":
    write_error_pages()
