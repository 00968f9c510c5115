"""Loads every DAG file as the dag-processor does and prints, as JSON, what the tests want to know.

Runs in a process of its own, with an Airflow home of its own: importing Airflow writes files and warns.
"""

import json
import sys
import time
import warnings

warnings.simplefilter("ignore")

HEAVY = (
    "pandas", "numpy", "pyarrow", "numba", "scipy", "dask", "distributed", "great_expectations", "seaborn",
    "matplotlib", "fsspec", "s3fs", "tsubame.pipeline", "tsubame.report", "tsubame.analysis",
)  # fmt: skip


def main() -> None:
    from pathlib import Path

    from airflow.configuration import conf
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    told = {"files": {}, "dags": {}}
    for path in sorted(Path(conf.get("core", "dags_folder")).glob("*.py")):
        before = set(sys.modules)
        # The first parse in a process also fills caches that the dag-processor shares among its children.
        for _ in range(2):
            began = time.process_time()
            bag = DagBag(str(path), bundle_path=path.parent)
            seconds = time.process_time() - began
        heavy = sorted(name for name in set(sys.modules) - before if name in HEAVY)
        told["files"][path.name] = {"seconds": seconds, "heavy": heavy, "errors": bag.import_errors}
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
                "tasks": {
                    task.task_id: {
                        "owner": task.owner,
                        "retries": task.retries,
                        "backoff": task.retry_exponential_backoff,
                        "timeout": task.execution_timeout and task.execution_timeout.total_seconds(),
                        "doc": task.doc or task.doc_md or getattr(task, "python_callable", task).__doc__,
                        "pool": task.pool,
                        "outlets": [outlet.name for outlet in task.outlets],
                        "upstream": sorted(task.upstream_task_ids),
                    }
                    for task in dag.tasks
                },
            }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
