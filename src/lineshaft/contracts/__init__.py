"""What the stages hand to each other: one table per joint, the curves, the ledger, the reasons.

Stages import contracts, never each other. Every column is declared once, with unit and meaning.
"""
