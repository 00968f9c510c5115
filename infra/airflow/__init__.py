"""Airflow's services on one machine; ``python -m infra.airflow`` is ``make airflow``.

``configuration`` says where Airflow's home is and what its settings and secrets are, ``services`` starts, watches
and stops the services, ``client`` talks to their REST API.
"""
