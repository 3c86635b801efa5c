"""The names of ``numpy.linalg``, computed by lapack_py: ``import lapack_py.linalg as LA`` can stand in for it.

The names include those of the Array API standard's ``linalg`` extension. Signatures begin with NumPy's; what was added
is keyword-only. What has nothing to do with LAPACK is NumPy's own function.
"""

from numpy.linalg import (
    LinAlgError,
    cross,
    diagonal,
    matrix_transpose,
    outer,
    tensordot,
    trace,
    vecdot,
)

from ._composed.norms import (
    cond,
    matrix_norm,
    norm,
    vector_norm,
)
from ._composed.products import (
    matrix_power,
    multi_dot,
    tensorinv,
    tensorsolve,
)
from ._composed.subspaces import (
    matrix_rank,
    pinv,
)
from ._native import (
    cholesky,
    det,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    inv,
    lstsq,
    matmul,
    qr,
    slogdet,
    solve,
    svd,
    svdvals,
)

__all__ = [
    "LinAlgError",
    "cholesky",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "multi_dot",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "tensorinv",
    "tensorsolve",
    "trace",
    "vecdot",
    "vector_norm",
]
