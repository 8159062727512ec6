"""Engines: the same report, counted by a database.

Each engine folds the journeys by SQL and gives the very same `Counts` as the core; every share,
quantile and amount is then worked out from them in the one place where they always are.
"""
