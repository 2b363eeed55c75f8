"""How much of recorded prompts a prefix cache would have held that forgets nothing."""

from __future__ import annotations

from loadtests.traffic.recorded import Recorded


def hit_ratio(recorded: Recorded) -> float:
    """Share of the prompt tokens, 0 to 1, that begin as an earlier prompt did: the history of a conversation,
    with the answers in it, or a beginning that others have, too. What came before the recording is not known
    to it.
    """
    known: set[int] = set()
    history: dict[int, int] = {}
    hits = 0
    columns = zip(
        recorded.conversation.tolist(),
        recorded.prompt_tokens.tolist(),
        recorded.output_tokens.tolist(),
        recorded.prefixes,
        strict=True,
    )
    for conversation, prompt, output, prefixes in columns:
        if conversation in history:
            found = history[conversation]
        else:
            found = max((tokens for node, tokens in prefixes if node in known), default=0)
        hits += min(found, prompt - 1)
        known.update(node for node, _ in prefixes)
        if conversation >= 0:
            history[conversation] = prompt + output
    return hits / int(recorded.prompt_tokens.sum())
