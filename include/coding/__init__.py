"""Codes: which are valid, which are local, and what words say where nobody coded."""
