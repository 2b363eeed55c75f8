"""Slots in tokens: what the running requests may need of the engine's KV cache, against what it has."""

from math import ceil, sqrt

from gateway.ticket import RequestFacts, Ticket

SURE = 5.5
"""Standard deviations by which what is filled may be more than is expected, before the budget is."""


class TokenPool:
    """A budget of tokens beside the slots.

    A request starts where what it may need (`RequestFacts.kv_tokens`) fits beside what the running ones hold,
    or where they hold nothing: one that is larger than the budget runs alone. What one holds is set right
    when it is known; while more is held than the budget, none starts. The cache is given out in blocks.

    Answers fill while they run (`kv_output`), and not all are at their full length at once. With n answers of
    o tokens, each at a point of its way that is as likely as any other, o·n/2 ± o·√(n/12) are filled. What
    stays empty with so many standard deviations may be taken once more, but by one request: so at a start no
    more is ever outstanding than the budget and the one that starts.
    """

    __slots__ = ("_of", "_outputs", "_squares", "block_tokens", "budget", "held")

    def __init__(self, budget: float, before: "TokenPool | None" = None, block_tokens: int = 1) -> None:
        """before: the pool whose running requests it takes over; block_tokens: what the engine gives out at
        once, at least 1.
        """
        self.budget = budget
        self.block_tokens = block_tokens
        self.held: float = 0.0 if before is None else before.held
        self._of: dict[Ticket, float] = {} if before is None else before._of
        self._outputs: float = 0.0 if before is None else before._outputs
        self._squares: float = 0.0 if before is None else before._squares

    def fits(self, request: RequestFacts) -> bool:
        """Whether such a request may start."""
        if not self._of:
            return True
        need = self._in_blocks(request.kv_tokens)
        over = self.held + need - self.budget
        if over <= 0:
            return True
        if over > need or need > self.budget:
            return False
        output = request.kv_output
        return over <= (self._outputs + output) / 2 - SURE * sqrt((self._squares + output**2) / 12)

    def take(self, ticket: Ticket) -> None:
        """It runs."""
        self._of[ticket] = need = self._in_blocks(ticket.request.kv_tokens)
        self.held += need
        self._outputs += ticket.request.kv_output
        self._squares += ticket.request.kv_output**2

    def correct(self, ticket: Ticket, tokens: float) -> None:
        """A running request needs `tokens`, and not what it was thought to need."""
        if ticket in self._of:
            need = self._in_blocks(tokens)
            self.held += need - self._of[ticket]
            self._of[ticket] = need

    def _in_blocks(self, tokens: float) -> float:
        return tokens if self.block_tokens == 1 else ceil(tokens / self.block_tokens) * self.block_tokens

    def give_back(self, ticket: Ticket) -> None:
        """It has ended. One that began before there was a budget holds nothing."""
        held = self._of.pop(ticket, None)
        if not self._of:
            self.held = self._outputs = self._squares = 0.0  # sums of fractions need not end at 0
        elif held is not None:
            self.held -= held
            self._outputs -= ticket.request.kv_output
            # Of differences of squares little may be left, and that below zero.
            self._squares = max(0.0, self._squares - ticket.request.kv_output**2)
