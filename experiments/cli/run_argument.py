"""A run folder as a command's argument: whether it is one, before what reads it is imported."""

from experiments.run_folder.named_run import require_cells, require_run

__all__ = ["require_cells", "require_run"]
