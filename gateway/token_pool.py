"""Slots in tokens: what the running requests may need of the engine's KV cache, against what it has."""

from gateway.ticket import RequestFacts, Ticket


class TokenPool:
    """A budget of tokens beside the slots.

    A request starts where what it may need (`RequestFacts.kv_tokens`) fits beside what the running ones hold,
    or where they hold nothing: one that is larger than the budget runs alone. So no more is ever outstanding
    when one starts than the budget, or that one request. What one holds is set right when it is known; while
    more is held than the budget, none starts.
    """

    __slots__ = ("_of", "budget", "held")

    def __init__(self, budget: float, before: "TokenPool | None" = None) -> None:
        """before: the pool whose running requests it takes over."""
        self.budget = budget
        self.held: float = 0.0 if before is None else before.held
        self._of: dict[Ticket, float] = {} if before is None else before._of

    def fits(self, request: RequestFacts) -> bool:
        """Whether such a request may start."""
        return not self._of or self.held + request.kv_tokens <= self.budget

    def take(self, ticket: Ticket) -> None:
        """It runs."""
        self._of[ticket] = ticket.request.kv_tokens
        self.held += ticket.request.kv_tokens

    def correct(self, ticket: Ticket, tokens: float) -> None:
        """A running request needs `tokens`, and not what it was thought to need."""
        if ticket in self._of:
            self.held += tokens - self._of[ticket]
            self._of[ticket] = tokens

    def give_back(self, ticket: Ticket) -> None:
        """It has ended. One that began before there was a budget holds nothing."""
        self.held -= self._of.pop(ticket, 0.0)
        if not self._of:
            self.held = 0.0  # sums of fractions need not end at 0
