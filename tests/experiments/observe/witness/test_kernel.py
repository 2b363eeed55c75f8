"""The kernel's counters, as files of machines that have them and of machines that do not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from experiments.observe.witness import kernel


def put(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


STAT = """cpu  300 100 100 900 5 7 9 40 60 0
cpu0 200 50 50 400 5 7 9 0 60 0
cpu3 100 50 50 500 0 0 0 40 0 0
intr 1 2 3
"""


def test_each_core_is_told_apart(tmp_path: Path) -> None:
    """Programs of any priority and the kernel's work for them, without idle time, interrupts and steal; the
    time of guests is in the user's already."""
    proc, per_s = put(tmp_path, {"stat": STAT}), os.sysconf("SC_CLK_TCK")
    assert kernel.core_seconds(proc) == {0: (300 / per_s, 0.0), 3: (200 / per_s, 40 / per_s)}


@pytest.mark.parametrize("stat", ["", "cpu 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0\n"], ids=["none", "zeros"])
def test_a_kernel_that_counts_nothing_is_not_idle(tmp_path: Path, stat: str) -> None:
    """Some sandboxes write zeros."""
    assert kernel.core_seconds(put(tmp_path, {"stat": stat})) == {}


def test_a_machine_without_counters_is_no_error(tmp_path: Path) -> None:
    """Such as one that has no `/proc`: nothing is known, and nothing is zero."""
    nowhere = tmp_path / "proc"
    assert kernel.core_seconds(nowhere) == {}
    assert kernel.pressure_s(nowhere) == {}
    assert kernel.throttled_s(nowhere, tmp_path) is None
    assert kernel.swapped_bytes(nowhere) is None
    assert kernel.clock_hz({0}, nowhere, tmp_path) is None


def test_pressure_is_that_of_some_program(tmp_path: Path) -> None:
    """Seconds since boot; a resource whose file is missing is left out."""
    lines = "some avg10=1.0 avg60=2.0 avg300=3.0 total=2500000\nfull avg10=0 avg60=0 avg300=0 total=9\n"
    assert kernel.pressure_s(put(tmp_path, {"pressure/cpu": lines})) == {"cpu": 2.5}


def test_the_quota_of_a_cgroup_or_of_one_above_it(tmp_path: Path) -> None:
    """Version 2: the one that was held back most counts, and one without a quota does not."""
    proc = put(tmp_path / "proc", {"self/cgroup": "0::/slice/service\n"})
    cgroups = put(
        tmp_path / "cgroup",
        {
            "slice/service/cpu.stat": "usage_usec 9\nnr_periods 90\nnr_throttled 3\nthrottled_usec 7\n",
            "slice/service/cpu.max": "50000 200000\n",
            "slice/cpu.stat": "nr_periods 90\nnr_throttled 40\n",
            "slice/cpu.max": "150000 100000\n",
            "cpu.stat": "nr_periods 0\nnr_throttled 70\n",
            "cpu.max": "max 100000\n",
        },
    )
    assert kernel.throttled_s(proc, cgroups) == pytest.approx(4.0)
    put(cgroups, {"slice/cpu.max": "max 100000\n"})
    assert kernel.throttled_s(proc, cgroups) == pytest.approx(0.6)


def test_the_quota_of_a_cgroup_of_version_1(tmp_path: Path) -> None:
    """Its controllers have folders of their own."""
    proc = put(tmp_path / "proc", {"self/cgroup": "4:memory:/x\n3:cpu,cpuacct:/x\n0::/x\n"})
    files = {"cpu.stat": "nr_periods 9\nnr_throttled 5\nthrottled_time 1\n", "cpu.cfs_quota_us": "50000\n"}
    put(tmp_path / "cgroup/cpu,cpuacct/x", {**files, "cpu.cfs_period_us": "100000\n"})
    assert kernel.throttled_s(proc, tmp_path / "cgroup") == pytest.approx(0.5)
    put(tmp_path / "cgroup/cpu,cpuacct/x", {"cpu.cfs_quota_us": "-1\n"})
    assert kernel.throttled_s(proc, tmp_path / "cgroup") is None


def test_swap_counts_both_ways(tmp_path: Path) -> None:
    """In bytes, whatever the page."""
    proc = put(tmp_path, {"vmstat": "pgpgin 7\npswpin 3\npswpout 2\n"})
    assert kernel.swapped_bytes(proc) == 5 * os.sysconf("SC_PAGE_SIZE")


def test_the_clock_is_that_of_the_cores_asked_about(tmp_path: Path) -> None:
    """From cpufreq where there is one, else from cpuinfo."""
    proc = put(tmp_path / "proc", {"cpuinfo": "cpu MHz\t\t: 2000.5\nmodel x\ncpu MHz : 1000\n"})
    assert kernel.clock_hz({0}, proc, tmp_path) == pytest.approx(2000.5e6)
    assert kernel.clock_hz({0, 1}, proc, tmp_path) == pytest.approx(1500.25e6)
    put(tmp_path, {"cpu1/cpufreq/scaling_cur_freq": "3100000\n"})
    assert kernel.clock_hz({1}, proc, tmp_path) == pytest.approx(3.1e9)
