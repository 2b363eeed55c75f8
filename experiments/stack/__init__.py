"""How each part of the stack is started and always stopped."""
