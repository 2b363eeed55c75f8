"""Which relay an answer of the engine gets."""

import time

from gateway.call import Call
from gateway.client import Client
from gateway.engine_failure import EngineFailure
from gateway.metrics import Metrics
from gateway.refusal import Fields, Headers
from gateway.relay import FailureRelay, Relay, WholeRelay
from gateway.request_body import ChatRequest
from gateway.settings import Settings
from gateway.stream_relay import StreamRelay


class Relays:
    """Makes them."""

    def __init__(self, settings: Settings, metrics: Metrics, failure: EngineFailure) -> None:
        self._most_event_bytes = settings.max_event_bytes
        self._most_answer_bytes = settings.max_answer_bytes
        self._metrics = metrics
        self._failure = failure

    def of(
        self, status: int, headers: Headers, fields: Fields, call: Call, client: Client, request: ChatRequest
    ) -> Relay:
        """The relay for an answer whose head is in. Raises Refusal for one that cannot be handed on."""
        answered = 200 <= status < 300
        if not answered and (status == 429 or not 400 <= status < 500):
            return FailureRelay(self._failure, status, fields, time.monotonic())
        if answered and request.stream:
            stream = StreamRelay(call, client, self._metrics, self._failure, self._most_event_bytes, request)
            stream.begin(status, headers, fields)
            return stream
        grammar = request.served.grammar
        whole = WholeRelay(call, client, self._metrics, self._failure, self._most_answer_bytes, grammar)
        whole.begin(status, headers, fields)
        return whole
