"""What type checkers see of a fleet. Checked, never run."""

from __future__ import annotations

from typing import assert_type

import tenure


@tenure.cache_resource(fleet_builds=1)
def prices(country: str) -> list[float]:
    return [len(country)]


def settings() -> None:
    tenure.configure(
        fleet="redis://cache.internal",
        fleet_secret="from where you keep passwords",
        fleet_name="shop",
        fleet_lost="rebuild",
        fleet_forgot="clear",
        fleet_spread="2s",
    )
    assert_type(prices("nz"), list[float])


def figures() -> None:
    assert_type(tenure.info(), tenure.ProcessInfo)
    assert_type(tenure.info().by_function, tuple[tuple[str, tenure.Info], ...])
    assert_type(tenure.explain(prices, "nz"), tenure.Explanation)
    assert_type(prices.info().misses_by_reason, dict[str, int])
    assert_type(tenure.info(fleet=True), tenure.FleetInfo)
    for member in tenure.info(fleet=True, timeout=1.0).members:
        assert_type(member, tenure.Member)
        assert_type((member.host, member.pid, member.entries, member.lag), tuple[str, int, int, float | None])
