"""A real PostgreSQL in a folder of its own, for Airflow's metadata: Debian's server, on loopback."""
