"""Alerts that come back: what Alertmanager tells, and what follows from it."""
