"""What validation found, as a table in the lake: one row for each expectation."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tsubame.periods import Quarter
from tsubame.schemas import VALIDATION, enforce


def results_key(quarter: Quarter) -> str:
    """Return the key of a validation's results, in a hive partition by quarter."""
    return f"validation/results/quarter={quarter}/results.parquet"


def encode_results(checks: Sequence[Mapping[str, Any]], inputs: str) -> bytes:
    """Return the results as Parquet, the same bytes for the same results.

    Args:
        checks: rows of ``schemas.VALIDATION``.
        inputs: digest of what was validated; kept in the file's metadata.
    """
    columns = {
        column.name: pa.array([row[column.name] for row in checks], column.type) for column in VALIDATION.columns
    }
    table = enforce(pa.table(columns).replace_schema_metadata({"inputs": inputs}), VALIDATION)
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()
