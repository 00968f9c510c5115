"""``make demo``: simulated sensors, a live Airflow, two published quarters.

``simulation`` runs beside Airflow's start; ``quarters`` hands the quarters to the scheduler and watches them.
"""
