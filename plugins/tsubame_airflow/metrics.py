"""The pipeline's own counters among Airflow's metrics: StatsD or OpenTelemetry, whichever the deployment has.

=================================  =======  ==============================================================
``tsubame.ingest.captures``        counter  captures decoded
``tsubame.ingest.bytes``           counter  their bytes, as they lie in the sensor bucket
``tsubame.ingest.records``         counter  records found in them
``tsubame.ingest.packets``         counter  packets kept
``tsubame.ingest.damaged``         counter  captures that were cut or held damaged records
``tsubame.ingest.rejected``        gauge    captures in the span that are none
``tsubame.ingest.unread_bytes``    counter  bytes that could not be read
``tsubame.ingest.withdrawn``       counter  captures that are gone or were replaced
``tsubame.counts.days``            counter  report days counted
``tsubame.counts.packets``         counter  packets on them
``tsubame.counts.lag_seconds``     gauge    from the end of the newest day counted to its counts
``tsubame.sensors.delivered``      gauge    sensors that have delivered the day, when it is no longer awaited
``tsubame.sensors.awaited``        gauge    sensors that have not
``tsubame.alarms.<kind>``          counter  alarms raised
=================================  =======  ==============================================================

Nothing is sent unless Airflow sends metrics (``TSUBAME_METRICS``, or Airflow's own section ``metrics``), and a metric
that cannot be sent never fails what it tells of.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

from tsubame.periods import day_bounds, load_zone
from tsubame_airflow.deployment import report_zone

log = logging.getLogger("tsubame.metrics")

_FLUSH_MILLISECONDS = 3000

COUNTER, GAUGE = "counter", "gauge"
Metric = tuple[str, str, int]


def measure(told: Mapping[str, Any]) -> None:
    """Send the counters of what a step did.

    Args:
        told: the summary of ``ingest_days``, ``count_days`` or ``complete_quarter``, as values; others have none.
    """
    send(metrics_of(told, zone=report_zone(), now=datetime.now(UTC)))


def metrics_of(told: Mapping[str, Any], *, zone: str | None = None, now: datetime) -> Iterator[Metric]:
    """Yield the metrics of a summary, and of those within it.

    Args:
        zone: of the report day; with it the lag of the newest day counted is told, too.
    """
    if {"decoded", "accounting"} <= told.keys():
        account = told["accounting"]
        yield COUNTER, "ingest.captures", told["decoded"]
        yield COUNTER, "ingest.bytes", told["bytes"]
        yield COUNTER, "ingest.records", account["records_read"]
        yield COUNTER, "ingest.packets", account["packets_kept"]
        yield COUNTER, "ingest.damaged", len(told["damaged"])
        yield GAUGE, "ingest.rejected", len(told["rejected"])
        yield COUNTER, "ingest.unread_bytes", account["unread_bytes"]
        yield COUNTER, "ingest.withdrawn", told["withdrawn"]
    if "counted" in told:
        yield COUNTER, "counts.days", len(told["counted"])
        yield COUNTER, "counts.packets", told["packets"]
        if zone and told["counted"]:
            end = day_bounds(date.fromisoformat(max(told["counted"])), load_zone(zone))[1]
            yield GAUGE, "counts.lag_seconds", max(0, round((now - end).total_seconds()))
    for part in ("ingest", "counts", "previous", "ingest_before"):
        if isinstance(told.get(part), Mapping):
            yield from metrics_of(told[part], now=now)


def delivery(delivered: int, awaited: int) -> None:
    """Send how many sensors have delivered a day and how many have not."""
    send([(GAUGE, "sensors.delivered", delivered), (GAUGE, "sensors.awaited", awaited)])


def alarm(kind: str) -> None:
    """Count an alarm."""
    send([(COUNTER, f"alarms.{kind}", 1)])


def send(metrics: Iterator[Metric] | list[Metric]) -> None:
    """Hand metrics to Airflow, in the name space ``tsubame``."""
    try:
        from airflow.sdk.observability import stats

        for kind, name, value in metrics:
            if kind == GAUGE:
                stats.gauge(f"tsubame.{name}", value)
            elif value:
                stats.incr(f"tsubame.{name}", value)
        _flush()
    except Exception as error:  # noqa: BLE001 - a metric must not fail what it tells of
        log.warning("metrics could not be sent: %s: %s", type(error).__name__, error)


def _flush() -> None:
    """Export what OpenTelemetry holds: Airflow ends a task's process without its turn, and a minute is its interval."""
    from airflow.sdk.configuration import conf

    if conf.getboolean("metrics", "otel_on", fallback=False):
        from opentelemetry.metrics import get_meter_provider

        get_meter_provider().force_flush(_FLUSH_MILLISECONDS)  # type: ignore[attr-defined]
