"""The run folder's documents with plain values: what a test changes of them says what it is about."""

from dataclasses import replace

from experiments.run_folder.cell_summary import CellSummary, MeasuredWindow, Workload
from experiments.run_folder.run_state import Objective, RunState, RunStatus
from experiments.spec.setting import Setting
from gateway.limits import Limits
from loadtests.recording.latency_summary import Latency
from loadtests.recording.load_run import Asked, CpuShare, Ended, LimitsSeen, LoadRun, PromptLengths, Versions
from loadtests.recording.quantiles import Quantile
from loadtests.recording.saturation import Lags
from loadtests.recording.summary import Counts, Latencies, LoadSummary, Rates
from loadtests.slo import SLO

SETTING = Setting(Limits(max_active=2, queue_max=10, queue_timeout_s=1.0))
WINDOW = MeasuredWindow(start_s=5.0, end_s=10.0, warm_up_s=5.0, started_unix_s=1_000.0)


def workload(rate_per_s: float = 3.0, block: int = 0, scenario: str = "sustained") -> Workload:
    """A load that was given as a rate."""
    return Workload(
        load=f"{scenario}@{rate_per_s:g}", scenario=scenario, workload=None, rate_per_s=rate_per_s,
        relative_load=None, block=block,
    )  # fmt: skip


def summary(
    cell: str, setting: Setting = SETTING, offered: Workload | None = None, window: MeasuredWindow = WINDOW
) -> CellSummary:
    """A cell of which only place and window are known."""
    return CellSummary(
        cell=cell, sentinel=False, setting=setting, workload=offered or workload(), window=window,
        counts=None, rates=None, attainment=None, latency=None, outcomes_all_phases={}, prometheus={},
        agreement=(), ledger=(), saturation=None, steady_state=None, breakdown=None, doubts=(), engine=None,
    )  # fmt: skip


def objective(text: str) -> Objective:
    """The objective that is typed so."""
    slo = SLO.parse(text)
    return Objective(text, slo.ttft_s, slo.tpot_s, slo.e2e_s, slo.attainment, None)


def state(name: str) -> RunState:
    """A run that is over and of which nothing else is known."""
    return RunState(
        name=name, created_utc="2026-01-02T03:04:05+00:00", command=("test",), spec={}, spec_digest=None,
        status=RunStatus.COMPLETE,
    )  # fmt: skip


def load_run(started_unix_s: float = 1_000.0) -> LoadRun:
    """A load run in which nothing went wrong and nothing was sent."""
    asked = Asked(
        started_unix_s=started_unix_s, started_monotonic_s=50.0, ended_unix_s=started_unix_s + 10.0,
        host="http://127.0.0.1:8080", model="tiny", scenario="sustained", workload="fixed", rate_per_s=3.0,
        warm_up_s=5.0, measure_s=5.0, plan_hash="0" * 64, slo="ttft<=1s,attainment>=0.95",
        prompts=PromptLengths(exact=True, note="one token a word"), notes=("as planned",), senders=1,
        load_average=0.1, versions=Versions("2.43", "25.1", "3.11.7"), seed=1, prompt_tokens=64,
        output_tokens=24, limits=LimitsSeen(2, 10, "queue"),
    )  # fmt: skip
    lags = Lags(0, None, None, None)
    ended = Ended(
        planned=0, recorded=0, rebuilt=0, complete=True, ended="completed", lost_workers=(), outcomes={},
        send_lag=lags, hub_lag=lags, cpu=CpuShare(None, None), client_saturated=False, reasons=(),
        exit_code=0, summary=load_summary(),
    )  # fmt: skip
    return LoadRun(asked, ended)


def load_summary() -> LoadSummary:
    """Of ten requests of two classes, nine of them served."""
    quantile = Quantile(0.2, 0.1, 0.3, n_eff=8.5)
    too_few = Quantile(None, None, None, why="n too small: 9 of 59")
    latency = Latency(n=9, mean=0.21, p50=quantile, p95=too_few, p99=too_few)
    whole = LoadSummary(
        counts=Counts(10, 10, 0, {"ok": 9, "rejected_full": 1}, 8, 1, 11),
        rates=Rates(2.0, 1.8, 1.6, 43.2),
        attainment=0.8,
        latency=Latencies(
            ttft_s=latency, ttft_from_send_s=latency, tpot_s=None, itl_s=None, e2e_s=latency, queue_s=latency,
            upstream_s=None, send_lag_s=latency,
        ),
    )  # fmt: skip
    return replace(whole, classes={"short": whole, "long": whole})
