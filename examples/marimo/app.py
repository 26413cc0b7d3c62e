"""A seed catalogue in marimo: one for all readers, and a basket for each.

`marimo edit app.py` opens it as a notebook, `marimo run app.py` serves it as an app.
"""

import marimo

app = marimo.App()


@app.cell
def imports():
    import random

    import marimo as mo

    import tenure

    return mo, random, tenure


@app.cell
def resources(random, tenure):
    @tenure.cache_resource
    def catalogue(seeds: int = 50_000) -> dict[str, list[int]]:
        """Filled once for the server, however many have the notebook open: it is only read, so they may share it."""
        chance = random.Random(7)
        kinds = ["poppy", "clover", "cornflower", "marigold", "yarrow"]
        cents: dict[str, list[int]] = {kind: [] for kind in kinds}
        for _ in range(seeds):
            cents[chance.choice(kinds)].append(chance.randint(80, 900))
        return cents

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
    cents = catalogue()[kind.value]
    mo.md(f"{len(cents)} packets of {kind.value}, from {min(cents)} cents. Looked at: {', '.join(mine)}.")
    return


if __name__ == "__main__":
    app.run()
