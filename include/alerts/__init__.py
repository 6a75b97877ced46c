"""Telling people about an amber or a red night: what is wrong and where to look, never a patient's value."""
