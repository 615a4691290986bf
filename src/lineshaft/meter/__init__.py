"""The meter: daily active agents (DAA) from real logs, by the standard DAA/1 (`docs/daa-1.md`).

    events.py       the canonical event table, and what can be wrong with a row
    definition.py   the numbers that a figure depends on, and their hash
    measures.py     settled work and the figures measured from it, as plain arrays
    reading.py      one reading of a log: what a report, a comparison, a calibration needs

It knows nothing of scenarios: the same definitions judge a real log and a simulated month.
"""
