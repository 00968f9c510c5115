"""What the DAG files and the plugin share: timetables, assets, the frame around every task, links.

Airflow puts ``plugins/`` on ``sys.path``, so DAG files import this package by its name. Importing it
imports neither Dask, Great Expectations nor seaborn, nor the pipeline: tasks do that when they run.
"""
