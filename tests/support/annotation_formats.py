"""The formats of annotations; Parquet only where pyarrow is."""

import importlib.util

import pytest

from neurovocal_tf import annotations

needs_pyarrow = pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None, reason="pyarrow is not installed"
)
FORMATS = [
    pytest.param(format, marks=needs_pyarrow) if format == "parquet" else format
    for format in annotations.EXTENSIONS
]
