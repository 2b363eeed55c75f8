"""How a sweep goes about its matrix."""

from enum import StrEnum


class DesignKind(StrEnum):
    """Which cells of the matrix are measured, and how often."""

    RACE = "race"
    """every setting starts; who is surely worse leaves, the time goes to those that are close"""
    GRID = "grid"
    """every setting at every load in every block"""
    MODEL = "model"
    """a calibrated model plays the matrix, the cells that matter are measured"""
