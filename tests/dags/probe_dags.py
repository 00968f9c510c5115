"""Loads every DAG file as the dag-processor does and prints, as JSON, what the tests want to know.

Runs in a process of its own, with an Airflow home of its own: importing Airflow writes files and warns.
"""

import json
import os
import sys
import time
import warnings

warnings.simplefilter("ignore")

HEAVY = (
    "pandas", "numpy", "pyarrow", "numba", "scipy", "dask", "distributed", "great_expectations", "seaborn",
    "matplotlib", "fsspec", "s3fs", "tsubame.pipeline", "tsubame.report", "tsubame.analysis",
)  # fmt: skip


def measure_parse(path):
    """CPU seconds and heavy imports of a parse in a process of its own that has loaded nothing but Airflow.

    So does the dag-processor: it forks a child for each file.
    """
    from airflow.dag_processing.dagbag import DagBag

    reader, writer = os.pipe()
    if child := os.fork():
        os.close(writer)
        with os.fdopen(reader) as answer:
            told = json.load(answer)
        os.waitpid(child, 0)
        return told
    before, began = set(sys.modules), time.process_time()
    DagBag(str(path), bundle_path=path.parent)
    seconds = time.process_time() - began
    heavy = sorted(name for name in set(sys.modules) - before if name in HEAVY)
    os.write(writer, json.dumps({"seconds": seconds, "heavy": heavy}).encode())
    os._exit(0)


def callable_of(task):
    """The function of a task, mapped or not; what is none documents itself."""
    return getattr(task, "partial_kwargs", {}).get("python_callable") or getattr(task, "python_callable", task)


def main() -> None:
    from pathlib import Path

    from airflow.configuration import conf
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.encoders import encode_deadline_reference
    from airflow.serialization.serialized_objects import DagSerialization

    paths = sorted(Path(conf.get("core", "dags_folder")).glob("*.py"))
    told = {"files": {path.name: measure_parse(path) for path in paths}, "dags": {}}
    for path in paths:
        bag = DagBag(str(path), bundle_path=path.parent)
        told["files"][path.name]["errors"] = bag.import_errors
        for dag in bag.dags.values():
            encoded = DagSerialization.to_dict(dag)
            again = DagSerialization.from_dict(json.loads(json.dumps(encoded)))
            timetable = again.timetable
            told["dags"][dag.dag_id] = {
                "file": path.name,
                "tags": sorted(dag.tags),
                "doc": dag.doc_md,
                "catchup": dag.catchup,
                "max_active_runs": dag.max_active_runs,
                "timetable": type(timetable).__name__,
                "timetable_data": timetable.serialize(),
                "summary": timetable.summary,
                "partitioned": timetable.partitioned,
                "listens_to": [key.name for key, _ in timetable.asset_condition.iter_assets()],
                "deadlines": [alert.interval.total_seconds() for alert in dag.deadline or []],
                "counted_from": sorted(
                    {encode_deadline_reference(a.reference)["reference_type"] for a in dag.deadline or []}
                ),
                "tasks": {
                    task.task_id: {
                        "owner": task.owner,
                        "retries": task.retries,
                        "backoff": task.retry_exponential_backoff,
                        "timeout": task.execution_timeout and task.execution_timeout.total_seconds(),
                        "doc": task.doc or task.doc_md or callable_of(task).__doc__,
                        "pool": task.pool,
                        "mapped": task.is_mapped,
                        "named": task.map_index_template,
                        "outlets": [outlet.name for outlet in task.outlets],
                        "upstream": sorted(task.upstream_task_ids),
                    }
                    for task in dag.tasks
                },
            }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
