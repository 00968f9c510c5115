"""What the custom expectations share: the batch as a pandas frame, and a verdict of readable lines.

Great Expectations computes metrics and lets expectations judge them. Here the one metric is the batch itself,
so that an expectation is one function from a frame to the lines that say what is wrong with it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from great_expectations.execution_engine import ExecutionEngine, PandasExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from expectations.texts import Line, line

FRAME = "table.tsubame_frame"
MOST_LINES = 20


class TableFrame(TableMetricProvider):
    """The batch as a frame."""

    metric_name = FRAME

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(cls, execution_engine: PandasExecutionEngine, metric_domain_kwargs: Any, **_: Any) -> Any:  # noqa: N805
        frame, _, _ = execution_engine.get_compute_domain(metric_domain_kwargs, domain_type="table")
        return frame


class FrameExpectation(BatchExpectation):
    """An expectation that judges a whole frame by ``find_failures``."""

    metric_dependencies: ClassVar[tuple[str, ...]] = (FRAME,)

    def find_failures(self, frame: Any) -> tuple[str, list[Line]]:
        """Return what was observed, in a few words, and a line (see ``texts``) for each thing that is wrong."""
        raise NotImplementedError

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,  # noqa: ARG002 - the signature is given
        execution_engine: ExecutionEngine | None = None,  # noqa: ARG002 - the signature is given
    ) -> dict[str, Any]:
        observed, failures = self.find_failures(metrics[FRAME])
        shown = failures[:MOST_LINES]
        if len(failures) > MOST_LINES:
            shown.append(line("more", n=len(failures) - MOST_LINES))
        english, japanese = [each.en for each in shown], [each.ja for each in shown]
        return {
            "success": not failures,
            "result": {
                "observed_value": "; ".join([observed, *english]),
                "details": {"failures": english, "failures_ja": japanese},
            },
        }
