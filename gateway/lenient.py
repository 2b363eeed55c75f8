"""Values of a request as vLLM's request classes read them: pydantic's lax mode, where "2" and 2.0 are 2 and
"yes" is true. What cannot be read so is the engine's to refuse.
"""

from pydantic import TypeAdapter, ValidationError

_INTEGER: TypeAdapter[int] = TypeAdapter(int)
_BOOLEAN: TypeAdapter[bool] = TypeAdapter(bool)


def integer(value: object) -> int | None:
    """The whole number meant, or None for none or for what is no number."""
    if value is None or type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)  # also what the JSON reader makes of whole numbers beyond 64 bits
    try:
        return _INTEGER.validate_python(value)
    except ValidationError:
        return None


def boolean(value: object) -> bool | None:
    """The truth value meant, or None for none or for what is no truth value."""
    if value is None or type(value) is bool:
        return value
    try:
        return _BOOLEAN.validate_python(value)
    except ValidationError:
        return None
