"""The warehouse on Spark: see docs/spark.md. Imported only with ``--target spark``."""
