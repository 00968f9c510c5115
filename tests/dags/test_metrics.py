"""The pipeline's counters arrive, by Airflow's own means, at a StatsD listener and at an OpenTelemetry collector."""

import configparser
import socket
import subprocess
import sys
import threading
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from infra.airflow.configuration import deploy
from tests.dags.conftest import CHECKOUT, airflow_environment
from tsubame.capture.accounting import Accounting
from tsubame.errors import UsageError
from tsubame.periods import Quarter
from tsubame.pipeline.counts import CountSummary
from tsubame.pipeline.ingest import IngestSummary
from tsubame.pipeline.quarter import QuarterSummary

ACCOUNT = Accounting(records_read=120, packets_kept=100, not_ip=20, unread_bytes=7)
INGEST = IngestSummary(3, 5, 1, ACCOUNT, {"a.pcap": "is no capture"}, {"b.pcap": "7 bytes not read"}, bytes=4096)
COUNTS = CountSummary((date(2023, 1, 30), date(2023, 1, 31)), 4, ACCOUNT, 100)
NOW = datetime(2023, 1, 31, 16, 0, tzinfo=UTC)
INGESTED = {
    "ingest.captures": 3, "ingest.bytes": 4096, "ingest.records": 120, "ingest.packets": 100, "ingest.damaged": 1,
    "ingest.rejected": 1, "ingest.unread_bytes": 7, "ingest.withdrawn": 1,
}  # fmt: skip
AS_A_TASK = """
import os
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics import stats_utils
stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)
from tests.dags.test_metrics import INGEST
from tsubame_airflow.tasks import brief
assert brief(INGEST)["bytes"] == 4096
os._exit(0)
"""


def values(metrics):
    return {name: value for _, name, value in metrics}


def test_a_steps_summary_is_told_in_numbers(in_process):
    assert values(in_process.metrics.metrics_of(INGEST.as_dict(), now=NOW)) == INGESTED
    # Tokyo's 31 January ends at 15:00 UTC.
    told = values(in_process.metrics.metrics_of(COUNTS.as_dict(), zone="Asia/Tokyo", now=NOW))
    assert told == {"counts.days": 2, "counts.packets": 100, "counts.lag_seconds": 3600}


def test_a_quarter_tells_of_the_quarter_before_as_well(in_process):
    before = QuarterSummary(Quarter(2022, 4), INGEST, COUNTS)
    summary = QuarterSummary(Quarter(2023, 1), INGEST, COUNTS, before)
    told = list(in_process.metrics.metrics_of(summary.as_dict(), now=NOW))
    assert sum(value for _, name, value in told if name == "ingest.packets") == 200
    assert "counts.lag_seconds" not in values(told)


def test_statsd_hears_them(in_process, monkeypatch):
    from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
    from airflow.sdk.observability import stats
    from airflow.sdk.observability.metrics import stats_utils

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(10)
        for name, value in {"ON": "true", "HOST": "127.0.0.1", "PORT": str(listener.getsockname()[1])}.items():
            monkeypatch.setenv(f"AIRFLOW__METRICS__STATSD_{name}", value)
        backend = stats_utils.get_stats_factory()()
        stats.initialize(factory=lambda: backend, export_legacy_names=True)
        try:
            in_process.tasks.brief(INGEST)
            in_process.metrics.delivery(2, 0)
            in_process.alarms.raise_alarm(in_process.alarms.Alarm("event", "x", "y"))
            heard = {listener.recv(4096).decode() for _ in range(11)}
        finally:
            backend.statsd.close()
            stats.initialize(factory=NoStatsLogger, export_legacy_names=True)
    assert {
        "airflow.tsubame.ingest.packets:100|c", "airflow.tsubame.ingest.bytes:4096|c",
        "airflow.tsubame.ingest.damaged:1|c", "airflow.tsubame.ingest.rejected:1|g",
        "airflow.tsubame.sensors.delivered:2|g", "airflow.tsubame.sensors.awaited:0|g",
        "airflow.tsubame.alarms.event:1|c",
    } <= heard  # fmt: skip


def test_a_metric_that_cannot_be_sent_fails_nothing(in_process, monkeypatch, caplog):
    from airflow.sdk.observability import stats

    def fail(*_, **__):
        raise OSError("no route")

    monkeypatch.setattr(stats, "incr", fail)
    assert in_process.tasks.brief(INGEST)["decoded"] == 3
    assert "metrics could not be sent: OSError: no route" in caplog.text


def test_an_opentelemetry_collector_hears_them_before_the_tasks_process_ends(tmp_path):
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_DELTA

    got = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            assert self.path == "/v1/metrics"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            got.append(ExportMetricsServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        metrics = {"TSUBAME_METRICS": f"http://127.0.0.1:{server.server_port}"}
        deployment = deploy({"AIRFLOW_HOME": str(tmp_path / "home"), **metrics})
        sent = {k: v for k, v in deployment.environment.items() if k.startswith("OTEL_")}
        env = airflow_environment(deployment.home, AIRFLOW__METRICS__OTEL_ON="True", **sent)
        env["PYTHONPATH"] = f"{CHECKOUT}:{CHECKOUT / 'plugins'}"
        done = subprocess.run([sys.executable, "-c", AS_A_TASK], env=env, capture_output=True, text=True, check=False)
        server.shutdown()
        thread.join()
    assert done.returncode == 0, done.stderr[-2000:]
    found = {
        metric.name: metric
        for request in got for resource in request.resource_metrics
        for scope in resource.scope_metrics for metric in scope.metrics
    }  # fmt: skip
    packets = found["airflow.tsubame.ingest.packets"].sum
    assert packets.aggregation_temporality == AGGREGATION_TEMPORALITY_DELTA
    assert [point.as_int or point.as_double for point in packets.data_points] == [100]
    rejected = found["airflow.tsubame.ingest.rejected"].gauge
    assert [point.as_int or point.as_double for point in rejected.data_points] == [1]


def test_where_metrics_go_is_one_setting(tmp_path):
    def written(**environment):
        deployment = deploy({"AIRFLOW_HOME": str(tmp_path), **environment})
        config = configparser.ConfigParser()
        config.read(deployment.home / "airflow.cfg")
        return dict(config["metrics"]), deployment.environment

    assert written()[0] == {}
    assert written(TSUBAME_METRICS="statsd://metrics.example:9125")[0] == {
        "statsd_on": "True", "statsd_host": "metrics.example", "statsd_port": "9125",
    }  # fmt: skip
    options, environment = written(TSUBAME_METRICS="https://otel.example", OTEL_SERVICE_NAME="ours")
    assert options == {"otel_on": "True"}
    assert environment["OTEL_EXPORTER_OTLP_ENDPOINT"] == "https://otel.example"
    assert environment["OTEL_SERVICE_NAME"] == "ours"


@pytest.mark.parametrize("setting", ["udp://x:1", "statsd://", "statsd://x:port", "localhost:8125"])
def test_a_receiver_of_metrics_of_no_known_kind_is_named(tmp_path, setting):
    with pytest.raises(UsageError, match="TSUBAME_METRICS: no receiver of metrics"):
        deploy({"AIRFLOW_HOME": str(tmp_path), "TSUBAME_METRICS": setting})


def test_what_was_decoded_for_a_quarter_that_is_not_counted_is_sent_too(in_process):
    summary = QuarterSummary(Quarter(2023, 1), INGEST, COUNTS, None, INGEST)
    told = list(in_process.metrics.metrics_of(summary.as_dict(), now=NOW))
    assert sum(value for _, name, value in told if name == "ingest.captures") == 6
