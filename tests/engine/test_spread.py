"""Who is to own what: even shares, few moves, and nobody is lost who could not be seen."""

from hypothesis import given, strategies as st

from mainspring.engine.spread import LOST_S, Chart, Sightings, spread

SERVERS = st.sets(st.sampled_from("abcdef"), min_size=1)
NODES = st.integers(0, 2)
CHARTS = st.builds(
    Chart,
    st.dictionaries(st.integers(1, 40), NODES),
    st.dictionaries(st.sampled_from("abcdef"), NODES),
)
OWNERS = st.dictionaries(st.integers(1, 40), st.sampled_from(["", *"abcdef"]))


@given(OWNERS, SERVERS)
def test_shares_are_even_and_complete(owners: dict[int, str], able: set[str]) -> None:
    plan = spread(owners, able)
    assert plan.keys() == owners.keys()
    assert set(plan.values()) <= able
    shares = [list(plan.values()).count(server) for server in able]
    assert max(shares) - min(shares) <= 1


@given(OWNERS, SERVERS)
def test_what_is_even_stays(owners: dict[int, str], able: set[str]) -> None:
    plan = spread(owners, able)
    assert spread(plan, able) == plan


@given(OWNERS, SERVERS)
def test_nobody_gives_more_than_its_surplus(owners: dict[int, str], able: set[str]) -> None:
    plan = spread(owners, able)
    least = len(owners) // len(able)
    for server in able:
        before = [shard for shard, owner in owners.items() if owner == server]
        kept = [shard for shard in before if plan[shard] == server]
        assert len(kept) >= min(len(before), least)


@given(OWNERS, SERVERS, CHARTS)
def test_shares_are_even_wherever_the_rows_are(
    owners: dict[int, str], able: set[str], chart: Chart
) -> None:
    plan = spread(owners, able, chart)
    assert plan.keys() == owners.keys()
    shares = [list(plan.values()).count(server) for server in able]
    assert max(shares) - min(shares) <= 1
    assert spread(plan, able, chart) == plan


@given(OWNERS, SERVERS, CHARTS)
def test_no_two_servers_have_what_is_near_to_the_other(
    owners: dict[int, str], able: set[str], chart: Chart
) -> None:
    plan = spread(owners, able, chart)
    ways = {
        (chart.servers[server], chart.shards[shard])
        for shard, server in plan.items()
        if chart.is_far(shard, server) and server in chart.servers
    }
    assert not any((home, node) in ways for node, home in ways)


def test_what_is_far_is_given_first_and_what_is_near_is_taken_first() -> None:
    chart = Chart({1: 10, 2: 20, 3: 10, 4: 20}, {"a": 10, "b": 20})
    assert spread(dict.fromkeys(range(1, 5), "a"), "ab", chart) == {1: "a", 2: "b", 3: "a", 4: "b"}
    assert spread(dict.fromkeys(range(1, 5), ""), "ba", chart) == {1: "a", 2: "b", 3: "a", 4: "b"}


def test_a_server_is_lost_when_its_beats_stand_still() -> None:
    sights = Sightings("me")
    assert sights.look({"me": 1, "other": 1}, 0.0)
    assert sights.alive == set()
    assert sights.present == {"other"}
    assert sights.look({"other": 2}, 1.0)
    assert sights.alive == {"other"}
    now = 1.0
    while now < 1.0 + LOST_S - 0.5:
        now += 0.5
        assert not sights.look({"other": 2}, now) or now == 1.0 + LOST_S
    assert sights.lost == {}
    assert sights.look({"other": 2}, 1.0 + LOST_S)
    assert sights.lost == {"other": 2}
    assert sights.present == set()
    assert sights.look({"other": 3}, 1.5 + LOST_S)
    assert sights.alive == {"other"}


def test_time_in_which_nothing_could_be_seen_counts_against_nobody() -> None:
    sights = Sightings("me")
    sights.look({"other": 1}, 0.0)
    sights.look({"other": 2}, 1.0)
    assert not sights.look({"other": 2}, 60.0)
    assert sights.alive == {"other"}
    for at in range(61, 64):
        assert not sights.look({"other": 2}, float(at))
    assert sights.look({"other": 2}, 64.0)
    assert sights.lost == {"other": 2}


def test_a_server_that_left_is_gone_at_once() -> None:
    sights = Sightings("me")
    sights.look({"other": 1}, 0.0)
    assert sights.look({}, 0.1)
    assert sights.present == set()
