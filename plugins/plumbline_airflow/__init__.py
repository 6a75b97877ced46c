"""How Airflow sees Plumbline: the only code that imports airflow."""
