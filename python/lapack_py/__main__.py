"""``python -m lapack_py``: what is installed, the diagnosis of this machine, and where to go on."""

import sys

from . import __version__, doctor


def main() -> int:
    """Prints it; 0 if nothing needs to be done."""
    diagnosis = doctor()
    print(f"lapack_py {__version__}, Python {sys.version.split()[0]}")
    print(diagnosis)
    print('demonstration: python -m lapack_py.demo   (needs: pip install "lapack-py[demo]")')
    return 0 if diagnosis.ok else 1


if __name__ == "__main__":
    sys.exit(main())
