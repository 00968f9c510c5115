"""What a task of Airflow or a command calls: read, call the pure step, enforce, write.

In the order of the data path: ``delegations`` (archive of delegation files), ``inventory`` (what is there and
what is to be done), ``ingest`` (captures -> flows), ``counts`` (flows -> counts), ``quarter`` (all days of a
quarter), ``report`` (counts -> validated edition), ``status``. ``cluster`` is the only place that knows Dask.
"""
