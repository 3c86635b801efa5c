"""Which LAPACK computes: where this interpreter's packages have one, and the choice between them."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import _native
from ._errors import raised_here

_Table = tuple[str, dict[str, int], str | None]

_SUFFIXES = frozenset({".so", ".dylib", ".dll"})
_WHEELS = {"scipy-openblas32": "scipy_openblas32", "scipy-openblas64": "scipy_openblas64"}
# MKL's wheel puts its libraries beside the interpreter, not into a package.
_MKL_NAMES = (
    "lib/libmkl_rt.so.3",
    "lib/libmkl_rt.so.2",
    "lib/libmkl_rt.2.dylib",
    "Library/bin/mkl_rt.3.dll",
    "Library/bin/mkl_rt.2.dll",
)


def set_lapack(which: str | os.PathLike[str]) -> Any:
    """Chooses the LAPACK that all further calls use, in the whole process.

    Parameters
    ----------
    which : str or path
        The path of a shared library, or a name that the system's loader knows; or one of these: "scipy-openblas32",
        "scipy-openblas64", "mkl" (installed by pip), "scipy" (the one inside SciPy, through its cython_lapack
        functions), "auto" (what is used if nobody chooses).

    Returns
    -------
    dict
        What `library_info` says of it.

    Raises
    ------
    ProviderError
        It is not there, or is no LAPACK; the former one stays in use.

    Notes
    -----
    32- or 64-bit integers are recognised by asking the library for its version (ILAVER). The number of threads stays
    what it was. Calls that run in other threads meanwhile end in the former library. Libraries are never unloaded.
    The environment variable LAPACK_AI_LIBRARY makes the same choice before the first call.
    """
    name = os.fspath(which)
    if name == "auto":
        _native.set_library(None, None)
    elif name == "scipy":
        _native.set_library(None, scipy_table())
    else:
        _native.set_library(_path(name), None)
    return _native.library_info()


def _path(name: str) -> str:
    """The file of a package's library; any other name is one for the loader."""
    if name in _WHEELS:
        for library in _wheel_libraries(_WHEELS[name]):
            return str(library)
        raise _absent(name)
    if name == "mkl":
        for place in (sys.prefix, sys.base_prefix, *_user_base()):
            for file in _MKL_NAMES:
                if Path(place, file).exists():
                    return str(Path(place, file))
        raise _absent(name)
    return name


def _absent(name: str) -> Exception:
    cause = f"the package {name} is not installed in this environment"
    text = f"no {name} was found"
    return raised_here("LAP-E031", "set_lapack", "which", text, cause, ("safe", f"run: pip install {name}"))


def _user_base() -> list[str]:
    import site

    return [site.getuserbase()]


def _wheel_libraries(package: str) -> Iterator[Path]:
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for library in sorted(Path(folder, "lib").glob("libscipy_openblas*")):
            if library.suffix in _SUFFIXES:
                yield library


def scipy_table() -> _Table:
    """SciPy's LAPACK as a table: the routines in the capsules of cython_lapack and cython_blas, by name.

    OpenBLAS beside them, if SciPy's wheel brought one, tells and takes the number of threads.
    """
    routines: dict[str, int] = {}
    for module in ("scipy.linalg.cython_lapack", "scipy.linalg.cython_blas"):
        capsules = importlib.import_module(module).__pyx_capi__
        routines |= {name: _native.capsule_address(capsule) for name, capsule in capsules.items()}
    return "scipy.linalg.cython_lapack", routines, next((str(file) for file in _beside_scipy()), None)


def _beside_scipy() -> Iterator[Path]:
    """The OpenBLAS that auditwheel and its kin put beside the package."""
    spec = importlib.util.find_spec("scipy")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for libraries in (Path(folder).parent / "scipy.libs", Path(folder) / ".dylibs"):
            yield from sorted(libraries.glob("libscipy_openblas*"))


def hint_at_packages() -> None:
    """Tells the search for a LAPACK what this interpreter's packages have."""
    found = False
    for package in _WHEELS.values():
        for library in _wheel_libraries(package):
            _native.add_library_hint(library)
            found = True
    # SciPy takes longer to import than most programs' first call, so it is asked only where nothing better is there.
    if not found and "LAPACK_AI_LIBRARY" not in os.environ and importlib.util.find_spec("scipy"):
        try:
            table = scipy_table()
        except (ImportError, AttributeError):
            return
        _native.add_table_hint(table)
