"""``python -m lapack_py``: what is installed, the diagnosis of this machine, and where to go on.

``python -m lapack_py validate`` uses everything that was found and checks the results.
``python -m lapack_py explain LAP-E010`` says what a code means, ``... explain dgesvx 5 --n 4`` what an INFO means.
"""

from __future__ import annotations

import argparse
import json
import sys

from . import LapackError, __version__, doctor, explain, explain_info, validate


def main(words: list[str] | None = None) -> int:
    """Prints it; 0 if nothing needs to be done, 1 if something does, 2 if a code is not known."""
    parser = argparse.ArgumentParser(prog="python -m lapack_py", description="LAPACK AI: diagnosis and explanations.")
    commands = parser.add_subparsers(dest="command")
    explaining = commands.add_parser("explain", help="what a code, an INFO or an error of OpenCL means")
    explaining.add_argument("what", help="a code (LAP-E010), a LAPACK routine (dgesvx), or opencl")
    explaining.add_argument("number", type=int, nargs="?", help="INFO of the routine, or the error of OpenCL")
    explaining.add_argument("--n", type=int, help="order of the matrix, or its columns")
    explaining.add_argument("--m", type=int, help="rows of the matrix")
    explaining.add_argument("--json", action="store_true", help="print JSON for programs")
    validating = commands.add_parser("validate", help="use everything that was found, and check the results")
    validating.add_argument("--json", action="store_true", help="print JSON for programs")
    asked = parser.parse_args(words)
    if asked.command == "validate":
        validation = validate()
        print(json.dumps(validation.to_dict(), indent=2) if asked.json else validation)
        return 0 if validation.ok else 1
    if asked.command == "explain":
        return _explain(asked)
    diagnosis = doctor()
    print(f"lapack_py {__version__}, Python {sys.version.split()[0]}")
    print(diagnosis)
    print('demonstration: python -m lapack_py.demo   (needs: pip install "lapack-py[demo]")')
    return 0 if diagnosis.ok else 1


def _explain(asked: argparse.Namespace) -> int:
    try:
        told = explain(asked.what) if asked.number is None else explain_info(asked.what, asked.number, asked.n, asked.m)
    except LapackError as error:
        print(error.summary, file=sys.stderr)
        return 2
    print(json.dumps(told.to_dict(), indent=2) if asked.json else told)
    return 0


if __name__ == "__main__":
    sys.exit(main())
