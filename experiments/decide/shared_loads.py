"""At which loads the settings of a run can be judged against each other."""

from collections.abc import Mapping

from experiments.spec.setting import Setting


def shared_loads(blocks: Mapping[str, Mapping[Setting, int]]) -> tuple[list[str], set[Setting], list[str]]:
    """The loads to judge at, the settings measured at all of them, and a doubt if loads are missing.

    All loads where some setting was measured at each; else the one that most settings share, as in a
    verification of `tune`, whose settings meet at one load.

    Args:
        blocks: load → setting → the number of blocks that it can be compared by there.
    """
    if not blocks:
        return [], set(), []
    everywhere = set.intersection(*(set(found) for found in blocks.values()))
    if everywhere:
        return list(blocks), everywhere, []
    most = max(sorted(blocks), key=lambda load: len(blocks[load]))
    return [most], set(blocks[most]), [f"judged at {most} only: no setting was measured at every load"]
