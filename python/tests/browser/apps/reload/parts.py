"""A module of the app, with a class whose instances are cached."""

import secrets

import book


class Valve:
    """What `valve` in the app makes."""

    kind = "valve"

    def __init__(self):
        self.name = f"valve {secrets.token_hex(4)}"
        book.note("built", kind=self.kind, name=self.name)

    def colour(self):
        return "red"
