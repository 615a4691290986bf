"""Compiled inner loops of `oversee`."""
