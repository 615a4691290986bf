"""Compiled loops of the meter: they import nothing of the package but one another."""
