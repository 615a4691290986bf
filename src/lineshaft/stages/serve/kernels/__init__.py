"""Event loop and step times, compiled by numba: imported inside functions only."""
