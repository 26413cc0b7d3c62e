"""K10, K3, K4: objects that refer to each other, of which each is written once."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest

from tenure._native import NestingError, UnhashableParamError, _encode


class Node:
    def __init__(self, name: object) -> None:
        self.name = name


class Told:
    """Is known by what it gives to be pickled."""

    def __init__(self, name: object) -> None:
        self.name = name

    def __reduce__(self) -> Any:
        return Told, (self.name,), self.__dict__


def knows(make: Callable[[list[Any]], Any], kind: type[Any] = Node) -> Callable[..., list[Any]]:
    """Objects each of which knows all others."""

    def build(count: int, odd: object = None) -> list[Any]:
        nodes = [kind(at) for at in range(count)]
        for node in nodes:
            node.peers = make([other for other in nodes if other is not node])
        if odd is not None:
            nodes[count // 2].name = odd
        return nodes

    return build


def dicts(count: int, odd: object = None) -> list[Any]:
    all_of_them: list[dict[Any, Any]] = [{"name": at} for at in range(count)]
    for one in all_of_them:
        one.update((at, other) for at, other in enumerate(all_of_them) if other is not one)
    if odd is not None:
        all_of_them[count // 2]["name"] = odd
    return all_of_them


def grid(count: int, odd: object = None) -> list[Any]:
    cells = {(x, y): Node((x, y)) for x in range(count) for y in range(count)}
    for (x, y), cell in cells.items():
        beside = [(x + 1, y), (x, y + 1), (x - 1, y), (x, y - 1)]
        cell.beside = [cells[at] for at in beside if at in cells]  # type: ignore[attr-defined]
    if odd is not None:
        cells[count // 2, 0].name = odd
    return list(cells.values())


GRAPHS: dict[str, Callable[..., list[Any]]] = {
    "lists": knows(list),
    "tuples": knows(tuple),
    "sets": knows(set),
    "by name": knows(lambda others: {str(other.name): other for other in others}),
    "by number": knows(lambda others: {other.name: other for other in others}),
    "reductions": knows(list, Told),
    "dicts": dicts,
    "a grid": grid,
}


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_k10_objects_that_all_refer_to_each_other_are_each_written_once(graph: Callable[..., list[Any]]) -> None:
    """K10: the ways through thirty of them are more than could ever be gone."""
    assert _encode(graph(30)) == _encode(graph(30))
    assert _encode(graph(30)) != _encode(graph(30, odd="another"))
    assert _encode(graph(30)[0]) == _encode(graph(30)[0])
    assert _encode(graph(30)[0]) != _encode(graph(30, odd="another")[0])
    assert _encode(graph(30)) != _encode(graph(29))


def test_k10_the_order_in_which_they_were_put_in_makes_no_difference() -> None:
    """K4"""

    def shuffled(seed: int) -> list[Any]:
        dice = random.Random(seed)
        nodes = [Node(at) for at in range(12)]
        for node in nodes:
            others = [other for other in nodes if other is not node]
            dice.shuffle(others)
            node.peers = set(others)  # type: ignore[attr-defined]
            node.by_name = {other.name: other for other in others}  # type: ignore[attr-defined]
        return nodes

    assert len({_encode(shuffled(seed)) for seed in range(5)}) == 1


def test_k3_what_is_entered_again_is_as_good_as_another_that_is_equal() -> None:
    one = grid(3)[0]
    assert _encode([one, one]) == _encode([one, copy.deepcopy(one)])
    assert _encode([one, one]) != _encode([one, grid(3, odd="another")[0]])
    pair = [one, {"again": one}]
    assert _encode(pair) == _encode(copy.deepcopy(pair))
    assert _encode([pair, pair]) == _encode([pair, copy.deepcopy(pair)])


def test_k10_which_of_them_is_referred_to_counts() -> None:
    def to(at: int) -> list[Any]:
        cells = grid(3)
        return [cells[0], cells[at]]

    def within(at: int) -> Any:
        cells = grid(3)
        cells[0].chosen = cells[at]
        return cells[0]

    assert len({_encode(to(at)) for at in range(9)}) == 9
    assert len({_encode(within(at)) for at in range(9)}) == 9
    # One that refers to a part of another circle.
    assert len({_encode([*to(0), [to(at)[1], {}]]) for at in range(9)}) == 9


def random_graph(dice: random.Random, size: int) -> tuple[Callable[[Callable[[list[Any]], list[Any]]], Any], int]:
    """What builds the same graph again and again, with its members put in in any order."""
    kinds = [dice.choice(["list", "dict", "numbers", "set", "node"]) for _ in range(size)]
    edges = [[dice.randrange(size) for _ in range(dice.randrange(4))] for _ in range(size)]

    def build(order: Callable[[list[Any]], list[Any]], odd: int | None = None) -> Any:
        nodes: list[Any] = []
        for at, kind in enumerate(kinds):
            name = "odd" if at == odd else at
            made = {"list": [name], "dict": {"name": name}, "numbers": {0: name}}.get(kind)
            nodes.append(Node(name) if made is None else made)
        for at, kind in enumerate(kinds):
            node, to = nodes[at], edges[at]
            if kind == "list":
                node.extend(nodes[it] for it in to)
            elif kind in ("dict", "numbers"):
                name: Callable[[int], Any] = str if kind == "dict" else int
                node.update((name(number + 1), nodes[it]) for number, it in order(list(enumerate(to))))
            else:
                held = [nodes[it] for it in to]
                hashable = [it for it in held if isinstance(it, Node)]
                node.some = set(order(hashable)) if kind == "set" else held
        return nodes[0]

    return build, size


@pytest.mark.parametrize("seed", range(40))
def test_k10_graphs_of_all_kinds_are_told_apart_and_found_again(seed: int) -> None:
    dice = random.Random(seed)
    build, size = random_graph(dice, dice.randrange(2, 14))
    whole = _encode(build(lambda it: it))
    for _ in range(4):
        assert _encode(build(lambda it: dice.sample(it, len(it)))) == whole

    def reached(start: Any) -> set[object]:
        seen: dict[int, Any] = {}
        waiting = [start]
        while waiting:
            it = waiting.pop()
            if id(it) in seen or isinstance(it, (int, str)):
                continue
            seen[id(it)] = it
            waiting.extend(
                it.values() if isinstance(it, dict) else it if isinstance(it, (list, set)) else vars(it).values()
            )
        names = [
            it.get("name", it.get(0)) if isinstance(it, dict) else it.name if isinstance(it, Node) else None
            for it in seen.values()
        ]
        lists = [it[0] for it in seen.values() if isinstance(it, list) and it and isinstance(it[0], int)]
        return {*names, *lists} - {None}

    there = reached(build(lambda it: it))
    for at in range(size):
        changed = _encode(build(lambda it: it, at))
        assert (changed != whole) == (at in there)


def test_k10_what_tells_nothing_apart_is_refused_and_does_not_hang() -> None:
    """Members without an order that look alike, and lead to each other in more ways than can be gone."""
    nodes = [Node("the same") for _ in range(30)]
    for node in nodes:
        node.peers = {other for other in nodes if other is not node}  # type: ignore[attr-defined]
    with pytest.raises(NestingError, match="refer to each other through sets") as caught:
        _encode(nodes)
    assert isinstance(caught.value, UnhashableParamError)
