"""Models, and what the server calls as it starts."""

import book

import tenure


@tenure.cache_resource(show_spinner="Loading the model…", on_release=book.released)
def model(name):
    if name == "large":
        book.wait_at_gate(name)
    return book.built(name)


def load():
    return model.warm(["small", "large"])
