"""What is believed of RANK and WORLD_SIZE."""

from __future__ import annotations

import pytest

from rsforge.errors import RsforgeError
from rsforge.launch_variables import Launch, read_launch

WHOLE = {"RANK": "3", "WORLD_SIZE": "4", "MASTER_ADDR": "node", "MASTER_PORT": "29500"}


def test_a_launch_is_read_whole():
    assert read_launch(WHOLE) == Launch(3, 4, 3, "node", 29500)
    of_torchrun = {"LOCAL_RANK": "1", "TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "2"}
    assert read_launch(WHOLE | of_torchrun) == Launch(3, 4, 1, "node", 29500, hosted=True, attempt="2")
    assert read_launch({"RANK": "0", "WORLD_SIZE": "1"}) == Launch(0, 1, 0)


@pytest.mark.parametrize("name", ["RANK", "WORLD_SIZE"])
def test_a_part_of_a_launch_is_none(name):
    assert read_launch({key: value for key, value in WHOLE.items() if key != name}) is None


@pytest.mark.parametrize(
    "changed",
    [{"RANK": "x"}, {"RANK": "-1"}, {"RANK": "4"}, {"WORLD_SIZE": "0"}, {"WORLD_SIZE": "²"}, {"RANK": ""},
     {"MASTER_ADDR": ""}, {"MASTER_PORT": "99999"}, {"MASTER_PORT": "http"}, {"LOCAL_RANK": "x"}],
)  # fmt: skip
def test_what_does_not_fit_together_is_refused(changed):
    with pytest.raises(RsforgeError, match="several training processes") as caught:
        read_launch(WHOLE | changed)
    assert caught.value.code == "RSF-U005" and "RANK=" in caught.value.found
