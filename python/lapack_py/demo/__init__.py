"""The demonstration: linear algebra on real photographs, digits and patients (``python -m lapack_py.demo``)."""
