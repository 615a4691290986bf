"""Model against measured, for what the package ships as facts: `lineshaft validate`.

    rows.py       Row: one published measurement and the model that must meet it; reading them
    own.py        the user's own measurements, CSV files in the same form
    sets.py       whole measured sets in a folder, scored by medians and shares
    checking.py   Result: the models run and compared; counts of a set of results
    published.py  the results that ship with the package, and their table for the docs
    models/       one file a stage: plain functions that run the real engine or equation
    <stage>.toml  the rows, each with its source, its tolerance and the reason for it; a stage with
                  many has more files, <stage>-<what>.toml
    results.json  what the engines of this version gave, written by `lineshaft validate --write`

A row is an *identity* (it must hold by construction), *fitted* (a coefficient or a catalog value
was chosen knowing it) or *unseen*. Identities show that the code does what it says; only the
other two say how far the model can be trusted, and only the last how far on what is new.
"""

from lineshaft.measured.checking import Result, Tally, headline, tally, validate
from lineshaft.measured.published import markdown, stale, summary, write
from lineshaft.measured.rows import KINDS, STAGES, Row, models_of, rows
from lineshaft.measured.sets import SetScore, scores

__all__ = [
    "KINDS",
    "STAGES",
    "Result",
    "Row",
    "SetScore",
    "Tally",
    "headline",
    "markdown",
    "models_of",
    "rows",
    "scores",
    "stale",
    "summary",
    "tally",
    "validate",
    "write",
]
