"""What validation found, as a table in the lake: one row for each expectation."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tsubame.errors import NotReady
from tsubame.periods import Quarter
from tsubame.schemas import VALIDATION, enforce
from tsubame.settings import Settings
from tsubame.stores import Store
from tsubame.validation.verdict import worst


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


@dataclass(frozen=True, slots=True)
class CheckedSuite:
    """What the last validation of a quarter found in one suite.

    Attributes:
        checks: rows of ``schemas.VALIDATION``, in the order of the suite.
    """

    suite: str
    checks: tuple[dict[str, Any], ...]

    @property
    def failed(self) -> tuple[dict[str, Any], ...]:
        """The checks that did not hold."""
        return tuple(check for check in self.checks if not check["passed"])

    @property
    def summary(self) -> str:
        """One line: ``regions: 3 of 3 hold``, ``counts: 1 of 24 failed, critical``."""
        total = len(self.checks)
        if not self.failed:
            return f"{self.suite}: {total} of {total} hold"
        severity = worst(check["severity"] for check in self.failed)
        return f"{self.suite}: {len(self.failed)} of {total} failed, {severity}"

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as JSON-ready values."""
        return {"suite": self.suite, "expectations": len(self.checks), "failed": len(self.failed)}


def read_suite(settings: Settings, quarter: Quarter, suite: str) -> CheckedSuite:
    """Read what the last validation of a quarter found in one suite.

    Raises:
        NotReady: the quarter has not been validated.
        Unavailable: the lake does not answer.
    """
    lake, key = Store(settings.lake_url), results_key(quarter)
    if not lake.exists(key):
        raise NotReady("has not been validated", key=str(quarter), hint=f"Run `tsubame report {quarter}`.")
    rows = pq.read_table(io.BytesIO(lake.read(key)), partitioning=None, filters=[("suite", "=", suite)])
    return CheckedSuite(suite, tuple(rows.to_pylist()))
