"""Frames → tables for people, one idea a module."""

from reports.tables.entry import Entry, Head, Table, anchor, cell_names, from_frame, seconds, words
from reports.tables.load_classes import load_classes, tenants
from reports.tables.outcomes import outcomes
from reports.tables.overview import overview
from reports.tables.parts import parts
from reports.tables.places import places
from reports.tables.predicted import accuracy, errors, predicted_matrix
from reports.tables.quantiles import quantiles
from reports.tables.sentinels import sentinels
from reports.tables.sessions import sessions
from reports.tables.sources import agreement, ledger
from reports.tables.stretches import stretches

__all__ = [
    "Entry",
    "Head",
    "Table",
    "accuracy",
    "agreement",
    "anchor",
    "cell_names",
    "errors",
    "from_frame",
    "ledger",
    "load_classes",
    "outcomes",
    "overview",
    "parts",
    "places",
    "predicted_matrix",
    "quantiles",
    "seconds",
    "sentinels",
    "sessions",
    "stretches",
    "tenants",
    "words",
]
