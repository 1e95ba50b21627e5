"""What goes through the door, without a broker."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.errors import ContractError
from streams.transport.records import by_topic, position_key, split_position_key


@given(topic=st.text(min_size=1), partition=st.integers(0, 10_000))
def test_a_position_key_reads_back(topic: str, partition: int) -> None:
    assert split_position_key(position_key(topic, partition)) == (topic, partition)
    assert by_topic({position_key(topic, partition): 7}) == {(topic, partition): 7}


@pytest.mark.parametrize("key", ["", "topic", "topic/", "/1", "topic/-1", "topic/1.5", "topic/²"])
def test_other_keys_are_refused(key: str) -> None:
    with pytest.raises(ContractError):
        split_position_key(key)
