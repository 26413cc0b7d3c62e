"""L12: a ``ttl`` string means what ``pandas.Timedelta`` makes of it, compared with pandas itself."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings

import pandas as pd
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tenure._native import parse_ttl

PANDAS = int(pd.__version__.partition(".")[0])

ALIASES = (
    "W w D d day days h hr hour hours H m min minute minutes s sec second seconds S"
    " ms milli millis millisecond milliseconds us \u00b5s micro micros microsecond microseconds"
    " ns nano nanos nanosecond nanoseconds Days MIN uS Seconds"
).split()
NOT_UNITS = ["M", "Y", "y", "week", "mins", "fortnight", "\u03bcs", "P", "e3"]

digits = st.text("0123456789", min_size=1, max_size=6)
numbers = st.one_of(
    digits,
    st.builds("{}.{}".format, digits, st.text("0123456789", max_size=14)),
    st.builds(".{}".format, digits),
    st.integers(0, 10**22).map(str),
    # Fractions that end in a binary five, where rounding half to even shows.
    st.builds(lambda n, k: repr(n / 2**k), st.integers(1, 4095), st.integers(1, 19)),
)
spaces = st.sampled_from(["", "", " ", "  ", ", ", "+"])
with_unit = st.builds("{}{}{}{}".format, numbers, spaces, st.sampled_from(ALIASES + NOT_UNITS), spaces)
sums = st.lists(with_unit, max_size=4).map("".join)
fields = st.integers(0, 99).map(str) | st.integers(0, 99).map("{:02}".format)
clocks = st.builds(
    "{}{}".format,
    st.lists(fields, min_size=2, max_size=4).map(":".join),
    st.just("") | st.text("0123456789", max_size=11).map(".{}".format),
)
signs = st.sampled_from(["", "", "", "-", "+", " ", "- "])
iso_fields = st.one_of(fields, digits, st.builds("{}.{}".format, fields, st.text("0123456789", max_size=12)))
isos = st.builds(
    "{}{}{}".format,
    st.sampled_from(["P", "P", "P", "-P", "P-", "PT"]),
    st.lists(st.builds("{}{}".format, iso_fields, st.sampled_from("WDHMS")), max_size=3).map("".join),
    st.lists(st.builds("T{}{}".format, iso_fields, st.sampled_from("HMS")), max_size=2).map("".join),
)
soups = st.text("0123456789 :.,+-PTDWHMSdhmsenu\u00b5\t\u0661", max_size=10)
texts = st.one_of(
    st.builds("{}{}".format, signs, sums),
    st.builds("{}{}{}".format, signs, sums, clocks),
    st.builds("{}{}".format, clocks, sums),
    isos,
    soups,
    soups.map("P{}".format),
    st.text(max_size=6),
)


def by_pandas(text: str) -> int | None:
    """What pandas makes of a text in nanoseconds, and ``None`` for what is no time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated spellings still have a meaning
        try:
            delta = pd.Timedelta(text)
        except ValueError:
            return None
        return None if delta is pd.NaT else delta.as_unit("ns").value


def by_tenure(text: str) -> int | None:
    try:
        return parse_ttl(text)[0]
    except ValueError:
        return None


def read_otherwise_by_pandas_2(text: str) -> bool:
    """What today's pandas refuses and pandas 2 took: T, L, U and N, letters behind a clock, sums that wrap around."""
    try:
        parse_ttl(text)
    except ValueError as error:
        if PANDAS < 3 and "is too long" in str(error):
            return True
    letters = re.search(r"(?<![^\W\d_])[TtLlUuNn](?![^\W\d_])", text) is not None
    return PANDAS < 3 and (letters or ":" in text and re.search(r"[^\W\d_]\W*$", text) is not None)


@given(texts)
@example("1.5 days")
@example("-1 day, 23:00:00")
@example("1 days 02:03:04.123456789123")
@example("106751 days 23:47:16.854775807")
@example("106751 days 23:47:16.854775808")
@example("9223372036854775807")
@example("0.0009765625s")
@example("1h.5")
@example("PT0.5H")
@example("PT1.123456789S")
@example("PT1S1S")
@example("NaT")
@example("")
def test_l12_every_string_means_what_pandas_makes_of_it(text: str) -> None:
    assume(not read_otherwise_by_pandas_2(text))
    expected = by_pandas(text)
    if expected is not None and expected < 0:
        expected = None  # no resource lives for less than no time
    assert by_tenure(text) == expected


@pytest.mark.parametrize("alias", ALIASES)
@pytest.mark.parametrize("form", ["1{}", "1 {}", "2.5 {}", "+7{}", "1{0}2{0}"])
def test_l12_every_unit_alias(alias: str, form: str) -> None:
    text = form.format(alias)
    expected = by_pandas(text)
    assert expected is not None
    assert parse_ttl(text) == (expected, False)


@given(st.timedeltas(min_value=pd.Timedelta(0).to_pytimedelta(), max_value=pd.Timedelta("100000D").to_pytimedelta()))
def test_l12_what_pandas_writes_is_read_back(delta: object) -> None:
    written = pd.Timedelta(delta)
    expected = written.as_unit("ns").value
    assert parse_ttl(str(written)) == (expected, False)
    assert parse_ttl(written.isoformat()) == (expected, False)


@given(st.integers(0, 2**53))
def test_l12_a_number_without_a_unit_is_nanoseconds_and_said_to_be_bare(number: int) -> None:
    assert parse_ttl(f"{number}") == (number, True)
    assert parse_ttl(f"{number}ns") == (number, False)
    assert by_pandas(f"{number}") == number


def test_l12_pandas_is_not_imported_for_it() -> None:
    """Nor any other library whose values could be arguments."""
    program = """
import sys
import tenure

@tenure.cache_resource(ttl="1h30m")
def thing(key):
    return [key]

assert thing("a") is thing("a")
thing.clear("a")
print(*sorted({"pandas", "numpy", "polars", "pyarrow"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], timeout=60, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")


@pytest.mark.parametrize("text", ["", "NaT", "nan", "-1d", "-P1D", "1 fortnight", "1.5", "soon", "1:30", "1M"])
def test_l11_an_unusable_string_is_named_with_the_forms_and_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=f'^ttl="{re.escape(text)}" .+ Accepted are .+ Example: ttl="1h30m"$'):
        parse_ttl(text)
