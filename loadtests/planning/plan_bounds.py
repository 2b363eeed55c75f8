"""What the numbers of a drawn plan may be, beside its shape and mix."""

from __future__ import annotations

from loadtests.bounds import Bound

PLAN_BOUNDS = {
    "rate_per_s": Bound(0, above=True, unit="requests per second"),
    "warm_up_s": Bound(0, unit="s"),
    "measure_s": Bound(0, above=True, unit="s"),
    "seed": Bound(0),
}


def check_window(warm_up_s: float, measure_s: float, seed: int) -> None:
    """Raise WrongValueError, naming the parameter and what is allowed, when one cannot be (times in s)."""
    for name, value in (("warm_up_s", warm_up_s), ("measure_s", measure_s), ("seed", seed)):
        PLAN_BOUNDS[name].check(name, value)
