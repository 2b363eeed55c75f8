"""What a cell of a run is measured for."""

from enum import StrEnum


class CellPurpose(StrEnum):
    """What a cell is measured for. A sentinel is told apart by a mark of its own."""

    MATRIX = "matrix"
    """to choose among settings"""
    VALIDATION = "validation"
    """more arrivals for the chosen setting, which took no part in choosing it"""
    CAPACITY = "capacity"
    """another rate, to find the largest one that meets the objective"""
