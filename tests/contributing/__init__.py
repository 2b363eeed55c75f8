"""CONTRIBUTING.md, tried: throw-away extensions made as it says, in a copy of the project."""
