"""Catalogue: a search index for each category, and the three ways to clear a cache."""

from dataclasses import dataclass

import pandas as pd
import streamlit as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors

from shop import database, ledger, panel
from shop.resources import get_engine

panel.head(
    "Catalogue",
    "Each category has a search index, built when it is first asked and then shared by all.  \n"
    "The buttons clear one index, both, or every resource of the app: see what is built again.",
)


@dataclass
class Index:
    """A category's products, with the words they are found by."""

    kind: str
    products: pd.DataFrame
    words: TfidfVectorizer
    nearest: NearestNeighbors

    def find(self, query: str) -> pd.DataFrame:
        """The products nearest to the query, best first."""
        distance, rows = self.nearest.kneighbors(self.words.transform([query]), n_neighbors=3)
        found = self.products.iloc[rows[0]].assign(match=(1 - distance[0]).clip(0))
        return found[found["match"] > 0]


def let_go(made: Index) -> None:
    """Note that an index is gone."""
    ledger.released(made.kind, made)


@st.cache_resource(show_spinner="Indexing…", on_release=let_go)
def index(category: str) -> Index:
    """The search index of one category."""
    rows = pd.read_sql(
        "select name, notes, pence / 100.0 as price, stock from products where category = ?",
        get_engine(database.url()),
        params=(category,),
    )
    words = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4))
    vectors = words.fit_transform(rows["name"] + ". " + rows["notes"])
    nearest = NearestNeighbors(metric="cosine").fit(vectors)
    made = Index(f"{category.lower()} index", rows, words, nearest)
    st.write(f"Executed index({category!r}): {len(rows)} products.")
    return ledger.built(made.kind, made)


with st.container(horizontal=True):
    if st.button("Clear all cached values for `index`", on_click=index.clear):
        index.clear()
    if st.button("Clear the cached value of `index('Flowers')`"):
        index.clear("Flowers")
    if st.button("Clear All"):
        # Clears all st.cache_resource caches:
        st.cache_resource.clear()

work, side = panel.columns()

with work:
    query = st.text_input("What are you looking for?", "blue, loved by bees")
    indexes = {category: index(category) for category in ("Flowers", "Herbs")}
    for category, found in ((name, made.find(query)) for name, made in indexes.items()):
        st.subheader(category)
        if found.empty:
            st.caption("Nothing like it.")
        else:
            st.dataframe(
                found,
                hide_index=True,
                column_config={
                    "name": "Product",
                    "notes": None,
                    "price": st.column_config.NumberColumn("Price", format="£%.2f"),
                    "stock": "Stock",
                    "match": st.column_config.ProgressColumn("Match", min_value=0, max_value=1),
                },
            )

with side:
    for made in indexes.values():
        panel.card(made.kind, made, "global: one each")
    panel.decorator("on_release=let_go")
