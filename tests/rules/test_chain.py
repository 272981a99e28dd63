"""Trust demand AT-04: one byte changed, one row gone, two swapped, the tail cut: each is found and named."""

from __future__ import annotations

import hashlib

import pytest

from app.rules.chain import GENESIS, Break, Link, first_break, link_hash


def chain(length: int) -> list[Link]:
    links, previous = [], GENESIS
    for seq in range(1, length + 1):
        fields: dict[str, object] = {"seq": seq, "verb": f"act {seq}"}
        digest = link_hash(fields, previous)
        links.append(Link(seq, fields, previous, digest))
        previous = digest
    return links


def verdict(links: list[Link], whole: list[Link]) -> Break | None:
    return first_break(links, head_seq=whole[-1].seq, head_hash=whole[-1].digest)


def test_a_whole_chain_holds() -> None:
    assert verdict(chain(5), chain(5)) is None


@pytest.mark.parametrize("at", [1, 3, 5])
def test_a_changed_byte_is_named(at: int) -> None:
    links = chain(5)
    links[at - 1] = Link(at, {"seq": at, "verb": "act X"}, links[at - 1].previous, links[at - 1].digest)

    assert verdict(links, chain(5)) == Break(at, "changed")


@pytest.mark.parametrize("at", [1, 3])
def test_a_missing_row_is_named(at: int) -> None:
    links = chain(5)
    del links[at - 1]

    assert verdict(links, chain(5)) == Break(at, "missing")


def test_a_cut_tail_is_named() -> None:
    assert verdict(chain(4), chain(5)) == Break(5, "tail")


def test_swapped_rows_are_named() -> None:
    links = chain(5)
    two, three = links[1], links[2]
    links[1] = Link(2, {**three.fields, "seq": 2}, three.previous, three.digest)
    links[2] = Link(3, {**two.fields, "seq": 3}, two.previous, two.digest)

    assert verdict(links, chain(5)) == Break(2, "changed")


def test_a_record_hashed_anew_does_not_follow_the_one_before() -> None:
    links = chain(5)
    fields: dict[str, object] = {"seq": 3, "verb": "forged"}
    links[2] = Link(3, fields, GENESIS, link_hash(fields, GENESIS))

    assert verdict(links, chain(5)) == Break(3, "unlinked")


def test_a_hash_is_of_canonical_json_with_the_hash_before() -> None:
    text = '{"a":[1,2],"previous_hash":"0f","verb":"签发"}'

    assert link_hash({"verb": "签发", "a": [1, 2]}, "0f") == hashlib.sha256(text.encode("utf-8")).hexdigest()
    assert GENESIS == "0000000000000000000000000000000000000000000000000000000000000000"
