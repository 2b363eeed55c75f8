"""The joint histogram of a cell: small, and exact under every bound that can be chosen."""

import base64

import numpy as np
import pandas as pd
import pytest

from loadtests.slo import SLO
from reports import packed_cell
from reports.bound_grid import bounds_s, places

AXES = packed_cell.AXES


def _numbers(packed: str) -> list[int]:
    """The LEB128 numbers of a histogram."""
    found, value, shift = [], 0, 0
    for byte in base64.b64decode(packed):
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            found.append(value)
            value, shift = 0, 0
    return found


def _unpacked(packed: str) -> list[tuple[list[int], int]]:
    """Places on the three axes, and how many requests have them; written from the format's description."""
    numbers = iter(_numbers(packed))
    used = [list(np.cumsum([next(numbers) for _ in range(next(numbers))])) for _ in AXES]
    boxes, box = [], 0
    for _ in range(next(numbers)):
        step = next(numbers)
        box += step // 2
        rest, at = box, list[int]()
        for own in reversed(used):
            rest, rank = divmod(rest, len(own))
            at.insert(0, int(own[rank]))
        boxes.append((at, next(numbers) if step % 2 else 1))
    return boxes


def _good(packed: str, bounds: list[np.ndarray], slo: SLO) -> int:
    asked = [slo.ttft_s, slo.tpot_s, slo.e2e_s]
    most = [
        np.inf if bound is None else int(np.searchsorted(own, bound, side="right"))
        for bound, own in zip(asked, bounds, strict=True)
    ]
    return sum(n for at, n in _unpacked(packed) if all(a <= m for a, m in zip(at, most, strict=True)))


def _requests(n: int, seed: int) -> pd.DataFrame:
    """Every kind of request: refused, without a token, of one token, equal to a bound, and plain ones."""
    rng = np.random.default_rng(seed)
    ttft_s = np.round(rng.lognormal(-1.5, 1.0, n), 4)
    tpot_s = np.where(rng.random(n) < 0.2, np.nan, np.round(rng.lognormal(-3.5, 0.3, n), 4))
    e2e_s = ttft_s + 20 * np.nan_to_num(tpot_s)
    silent = rng.random(n) < 0.1
    return pd.DataFrame(
        {
            "outcome": np.where(rng.random(n) < 0.2, "rejected_full", "ok"),
            "first_s": np.where(silent, np.nan, 1.0 + ttft_s),
            "visible_s": np.where(silent | (rng.random(n) < 0.1), np.nan, 1.0 + ttft_s),
            "ttft_s": np.where(silent, np.nan, ttft_s),
            "ttfv_s": np.where(silent, np.nan, ttft_s),
            "tpot_s": np.where(silent, np.nan, tpot_s),
            "e2e_s": e2e_s,
        }
    )


@pytest.mark.parametrize("digits", [2, 3])
@pytest.mark.parametrize("fixed", [SLO(), SLO(ttfv_s=0.4)])
def test_counts_are_exact_under_every_bound_of_so_many_digits(digits: int, fixed: SLO) -> None:
    """Random bounds, each alone, all together, and the run's own, whose digits are its own affair."""
    requests, own = _requests(400, seed=5), (0.1234567, 0.02718, None)
    bounds = [bounds_s(digits, bound) for bound in own]
    packed = packed_cell.packed(requests, bounds, fixed)
    rng = np.random.default_rng(7)
    ok = (requests["outcome"] == "ok").to_numpy(bool)
    for _ in range(60):
        drawn = [rng.lognormal(centre, 1) for centre in (-1.5, -3.5, -0.7)]
        asked = [float(one[np.searchsorted(one, at)]) for one, at in zip(bounds, drawn, strict=True)]
        asked = [
            at if bound is None or rng.random() < 0.8 else bound for at, bound in zip(asked, own, strict=True)
        ]
        ttft_s, tpot_s, e2e_s = (None if rng.random() < 0.3 else bound for bound in asked)
        slo = SLO(ttft_s, tpot_s, e2e_s, ttfv_s=fixed.ttfv_s)
        good = slo.judge_columns(ok, lambda name: requests[name].to_numpy(float))
        assert _good(packed, bounds, slo) == good.sum(), str(slo)


def test_a_bound_is_the_number_that_an_objective_parses() -> None:
    """`437ms` is 437 · 0.001, whatever that is in binary: who took just as long has met it."""
    bounds = bounds_s(3, None)
    for text in ("437ms", "1.25s", "0.437ms", "99.9ms", "10s", "7.01s"):
        assert SLO.parse(f"ttft<={text}").ttft_s in bounds
    assert len(bounds) == 9000


def test_a_value_is_filed_under_the_smallest_bound_it_meets() -> None:
    """At the bound: met; nothing there: every bound is met; beyond the last: none."""
    found = places(np.array([0.5, 1.0, 1.5, 2.5, np.nan]), np.array([1.0, 2.0]))
    assert found.tolist() == [1, 1, 2, 3, 0]


def test_a_request_takes_about_two_bytes() -> None:
    """So that a million of them are not much of a page."""
    rng = np.random.default_rng(3)
    n = 17_000
    ttft_s, tpot_s = rng.lognormal(-1, 0.8, n), rng.lognormal(-3.5, 0.15, n)
    columns = {"ttft_s": ttft_s, "tpot_s": tpot_s, "e2e_s": ttft_s + 23 * tpot_s + rng.normal(0.01, 0.001, n)}
    requests = pd.DataFrame({"outcome": "ok", "first_s": 1.0, **columns})
    packed = packed_cell.packed(requests, [bounds_s(3, None)] * 3, SLO())
    assert len(packed) / n < 4
