"""The inspector, beside what it shows."""

import book

import tenure
import tenure.streamlit


@tenure.cache_resource(on_release=book.released)
def pool(name):
    return book.built("pool", key=name)


book.tell("a", pool("a").name)
pool("b")
tenure.streamlit.inspector()
book.end_of_run()
