"""Postgres 17 and an S3 server for a machine that has neither, kept under PLUMBLINE_HOME."""
