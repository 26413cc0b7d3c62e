"""A seed catalogue in marimo: one database for all readers, and a basket for each.

`marimo edit app.py` opens it as a notebook, `marimo run app.py` serves it as an app.
"""

import marimo

app = marimo.App()


@app.cell
def imports():
    import random
    import sqlite3

    import marimo as mo

    import tenure

    return mo, random, sqlite3, tenure


@app.cell
def resources(random, sqlite3, tenure):
    @tenure.cache_resource(on_release=sqlite3.Connection.close)
    def catalogue(seeds: int = 50_000) -> sqlite3.Connection:
        """Filled once for the server, however many have the notebook open."""
        chance = random.Random(7)
        kinds = ["poppy", "clover", "cornflower", "marigold", "yarrow"]
        rows = [(number, chance.choice(kinds), chance.randint(80, 900)) for number in range(seeds)]
        database = sqlite3.connect(":memory:", check_same_thread=False)
        database.execute("create table seeds (number integer primary key, kind text, cents integer)")
        database.executemany("insert into seeds values (?, ?, ?)", rows)
        return database

    @tenure.cache_resource(scope="session", on_release=lambda basket: print(f"gone with {len(basket)} in the basket"))
    def basket() -> list[str]:
        """The basket of one who has the notebook open, until the kernel behind it ends."""
        return []

    return basket, catalogue


@app.cell
def choice(mo):
    kind = mo.ui.dropdown(["poppy", "clover", "cornflower", "marigold", "yarrow"], value="poppy", label="A kind")
    kind
    return (kind,)


@app.cell
def offer(basket, catalogue, kind, mo):
    mine = basket()
    mine.append(kind.value)
    count, cents = (
        catalogue().execute("select count(*), min(cents) from seeds where kind = ?", (kind.value,)).fetchone()
    )
    mo.md(f"{count} packets of {kind.value}, from {cents} cents. Looked at: {', '.join(mine)}.")
    return


if __name__ == "__main__":
    app.run()
