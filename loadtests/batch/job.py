"""A batch from its command line to its last line: everything is checked before the first request is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from loadtests.batch import requests_file, results_file
from loadtests.batch.pace import Pace
from loadtests.batch.requests_file import RequestsFile
from loadtests.batch.results_file import ResultsFile
from loadtests.batch.run import BatchParts, BatchRun
from loadtests.batch.sending import BatchSender
from loadtests.batch.stopping import BatchMistake
from loadtests.batch.watch import Watch
from loadtests.bounds import WrongValueError
from loadtests.reach import http_client
from loadtests.reach.control import Control
from loadtests.reach.endpoint import Endpoint, UnreachableError
from loadtests.slo import SLO

_LOOK_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for.

    out: None for one beside the file; fields: header fields of every request; in_flight: at most at once;
    timeout_s: without a byte of an answer.
    """

    file: Path
    out: Path | None
    host: str
    api_key: str
    fields: Mapping[str, str]
    in_flight: int
    slo: str
    timeout_s: float


def run(wanted: Wanted, tell: Callable[[str], None]) -> int:
    """Every request gets its result; returns how many have an error. `tell` gets lines for people.

    Raises BatchMistake, of which nothing was sent, and BatchStopped.
    """
    try:
        slo = SLO.parse(wanted.slo)
        endpoint = Endpoint.parse(wanted.host, wanted.api_key)
    except (WrongValueError, ValueError) as error:
        raise BatchMistake(str(error)) from None
    with requests_file.opened(wanted.file) as requests:
        out = wanted.out or wanted.file.with_suffix(".results.jsonl")
        if out.exists() and out.samefile(wanted.file):
            raise BatchMistake(f"--out is the file of the requests itself, {wanted.file}: name another")
        known = {request.custom_id for request in requests.requests}
        with results_file.opened(out, known) as results:
            done, total = len(results.done_ids), len(known)
            tell(f"batch: {total:,} requests, {done:,} with a result, to {endpoint.url}; results: {out}")
            if done < total:
                _must_be_there(endpoint)
                asyncio.run(_sent(wanted, endpoint, slo, requests, results, tell))
            failed = len(results.failed_ids)
            tell(f"batch: all {total:,} have a result, {failed:,} of them an error: {out}")
            return failed


def _must_be_there(endpoint: Endpoint) -> None:
    control = Control(endpoint)
    try:
        control.ask("GET", "/v1/models")
    except UnreachableError as error:
        raise BatchMistake(str(error)) from None
    finally:
        control.close()


async def _sent(
    wanted: Wanted,
    endpoint: Endpoint,
    slo: SLO,
    requests: RequestsFile,
    results: ResultsFile,
    tell: Callable[[str], None],
) -> None:
    async with (
        http_client.async_client(endpoint, wanted.timeout_s) as client,
        http_client.async_client(endpoint, _LOOK_TIMEOUT_S) as looking,
    ):
        sender = BatchSender(client, endpoint, dict(wanted.fields))
        watch = Watch(looking, slo.ttft_s)
        pace = Pace(wanted.in_flight, slo)
        await BatchRun(BatchParts(requests, results, sender, watch, pace, tell)).run()
