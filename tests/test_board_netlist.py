"""The whole iCEBreaker as a netlist, through the pins of its FPGA: a picture classified, every tensor compared."""

import pytest

from board.netlist import netlist_board, netlist_line
from golden.errors import WesnpuError
from wesnpu.board_netlist import compare, main

BOARD = "icebreaker"


def test_a_board_without_netlist_is_refused(capsys):
    with pytest.raises(WesnpuError, match="BOARD is 'ulx3s_85f': must be one of icebreaker"):
        netlist_board("ulx3s_85f")
    assert main(["ulx3s_85f"]) == 2 and "must be one of icebreaker" in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_fashion_mnist_image_through_the_pins():
    with netlist_line(BOARD) as line:
        done = compare(line)
    assert done.tensors > 10 and done.values > 20_000 and done.retries == 0
    assert not done.wrong and done.found == done.expected == done.label


def noticed(table: int) -> str:
    """What the same picture tells of this wrong table of the netlist; empty when nothing."""
    try:
        with netlist_line(BOARD, table=table) as line:
            done = compare(line)
    except WesnpuError as error:
        return str(error)
    return ", ".join(done.wrong) or ("sent again" if done.retries else "")


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_wrong_table_is_noticed_through_the_pins():
    """The first one drawn; a table may be one that this picture does not need, so two more are tried."""
    assert any(noticed(table) for table in range(1, 4))
