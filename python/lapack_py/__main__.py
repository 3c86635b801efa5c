"""``python -m lapack_py``: the diagnosis of this machine."""

import sys

from . import doctor

if __name__ == "__main__":
    diagnosis = doctor()
    print(diagnosis)
    sys.exit(0 if diagnosis.ok else 1)
