"""Requests for the engine at the door: who may ask, in which form, and whether there is a place at all."""

import time

from gateway.access import Access
from gateway.call import Call
from gateway.client import Client
from gateway.completion import Completion
from gateway.lane_book import KnownLane
from gateway.prepared_refusal import PreparedRefusals
from gateway.refusal import Refusal
from gateway.request_body import check_head, too_large_body
from gateway.request_ids import RequestIds
from gateway.request_reader import Reading, RequestReader
from gateway.scarce import scarce
from gateway.served import Served
from gateway.service import Service
from gateway.ticket import NOTHING_KNOWN, State

_COMPLETE = Reading.COMPLETE


class Chat:
    """Answers every path of `served`."""

    def __init__(self, service: Service, access: Access) -> None:
        self._service = service
        self._access = access
        self._ids = RequestIds()
        self._prepared = PreparedRefusals()

    def serve(self, client: Client, request: RequestReader, served: Served) -> Completion | None:
        """Begins with a request whose head is in, and maybe its body. None: it was refused at once."""
        service = self._service
        service.metrics.arrived += 1
        lane, fault = self._judged(request)
        complete = request.state is _COMPLETE
        if not served.takes_slots:
            fault = fault or service.crowd()
        elif fault is None and complete:
            # Before anything is built or read: refusing must stay cheap.
            state = service.room.refused(NOTHING_KNOWN if lane is None else lane.facts)
            if state is not None:
                self._refuse(client, request, served, state, lane)
                return None
        admission = service.room.admission
        call = Call(served.route, self._ids.of(request.fields), admission.limits.version)
        if lane is not None:
            call.lane, call.lanes_version = lane, admission.lanes.version
            call.within_s = self._access.within_s(request.fields)
        if service.recorder is not None:
            call.asked = service.recorder.at_door(request.fields, lane)
        completion = Completion(service, served, client, request, call)
        if fault is not None:
            completion.refuse(fault)
        elif complete:
            completion.ask_for_slot()
        else:
            client.ask_for_body()
            completion.await_body()
        return completion

    def _judged(self, request: RequestReader) -> tuple[KnownLane | None, Refusal | None]:
        """Its lane, and what is wrong with it whatever its body says."""
        most_bytes = self._service.settings.max_body_bytes
        lane: KnownLane | None = None
        try:
            lane = self._access.client(request.fields)
            check_head(request.fields, most_bytes)
        except Refusal as refusal:
            return lane, refusal
        return lane, too_large_body(most_bytes) if request.body_bytes > most_bytes else None

    def _refuse(
        self, client: Client, request: RequestReader, served: Served, state: State, lane: KnownLane | None
    ) -> None:
        service = self._service
        arrived_s = time.monotonic()
        admission = service.room.admission
        binds = scarce(admission)
        refusal = self._prepared.of(state, admission.limits, admission.lanes, lane, binds, served.errors)
        route = served.route
        request_id, wait_s = self._ids.of(request.fields), service.waits.tell_s(refusal.outcome, lane)
        service.account.finish_refused(route, refusal.outcome, refusal.status, request_id, arrived_s, lane)
        if service.recorder is not None:
            asked = service.recorder.at_door(request.fields, lane)
            spent_s = time.monotonic() - arrived_s
            service.recorder.keep_refused(route, refusal.outcome, refusal.status, asked, spent_s)
        client.answer(refusal.status, refusal.fields(wait_s, request_id), refusal.body(wait_s))
