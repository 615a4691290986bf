"""Lineshaft plans, simulates and meters the AI factory, from watts to worth."""

__version__ = "0.1.0"
