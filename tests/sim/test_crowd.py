"""Many servers of one database: the simulation that docs/scale.md quotes, with few of them."""

from tools.sim.crowd import measured


def test_the_shards_of_lost_servers_have_others_within_six_seconds() -> None:
    found = measured(seed=1, servers=4, shards=12, lost=1)
    assert found["shards_alone"] == 3
    assert found["alone_worst_s"] <= 6.0
    assert found["moved_for_growth"] == 3


def test_servers_come_to_own_the_shards_whose_rows_are_near() -> None:
    assert measured(seed=1, servers=4, shards=12, lost=1, nodes=2)["near"] == 1.0
