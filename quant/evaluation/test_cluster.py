"""Evaluation on a dask.distributed cluster: the same integers as here, and errors that say what is wrong."""

import builtins
import csv
import socket
import warnings

import numpy as np
import pytest

from golden.errors import WesnpuError
from quant.accuracy.method import Method
from quant.accuracy.run import Comparison, Unit
from quant.accuracy.store import Store
from quant.accuracy.subject import Subject, independent_draws
from quant.evaluation import cluster, fashion
from quant.evaluation.evaluate import scores
from quant.images.batches import Images
from tests.cli import run

distributed = pytest.importorskip("distributed", reason="needs dask[distributed], the extra 'cluster'")
pytestmark = pytest.mark.filterwarnings("ignore")  # dask's own, of its event loop and its dashboard


@pytest.fixture(scope="module")
def scheduler():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"n_workers": 1, "threads_per_worker": 2, "processes": False, "dashboard_address": None}
        with distributed.LocalCluster(protocol="tcp://", **options) as local:
            yield local.scheduler_address


def pictures(count):
    return Images(fashion.data().images[:count], fashion.SHAPE, fashion.PREPROCESSING)


@pytest.mark.parametrize("recipe", ["wes", "channelwise"])
def test_a_cluster_gives_the_integers_of_this_process_in_their_order(recipe, scheduler):
    network, told = fashion.network("fashion_mobilenet_v2", recipe), []
    found = scores(network, pictures(150), scheduler=scheduler, progress=told.append)
    assert np.array_equal(found, scores(network, pictures(150))) and found.dtype == np.int8
    assert told == [*range(16, 150, 16), 150]


def test_a_comparison_has_the_same_figures_on_a_cluster(scheduler, tmp_path):
    data, name = fashion.data(), "fashion_mobilenet_v1"
    pixels, calibration = (np.moveaxis(array, -1, 1) for array in (data.images[:40], data.calibration))
    draws = independent_draws(calibration, 40, 1)
    subject = Subject(name, "", fashion.imported(name), fashion.PREPROCESSING, pixels, data.labels[:40], draws)
    unit = Unit(0, Method("wes"), 0)
    here, _ = Comparison([subject], Store(tmp_path / "here")).find(unit)
    there, none = Comparison([subject], Store(tmp_path / "there"), scheduler).find(unit)
    assert np.array_equal(here.predicted, there.predicted) and here.sqnr == there.sqnr
    assert none is None  # a cluster's time is not this process's


def test_the_commands_say_the_same_with_a_cluster_and_without(scheduler, tmp_path):
    net, model, data = tmp_path / "net.npz", "models/fashion_nano.onnx", "models/fashion_mnist.npz"
    calib, images = ["--calib", f"{data}:calibration"], ["--images", data, "--limit", 60]
    assert run("quantize", model, *calib, "-o", net).exit_code == 0
    asked = ["eval", net, *images, "--float", model]
    here, there = run(*asked), run(*asked, "--scheduler", scheduler)
    assert here.output == there.output and "agrees with float" in here.output
    rows = []
    for where in ([], ["--scheduler", scheduler]):
        path = tmp_path / f"{len(rows)}.csv"
        assert run("compare", model, *calib, *images, "--recipes", "wes", *where, "--csv", path).exit_code == 0
        rows.append([{**row, "ptq_processor_seconds": "", "ptq_wall_seconds": ""}
                     for row in csv.DictReader(path.read_text().splitlines())])
    assert rows[0] == rows[1] and len(rows[0]) == 3


def test_more_batches_than_are_in_flight_come_back_in_order(scheduler):
    with cluster.connected(scheduler) as client:
        assert list(cluster.map_batches(client, pow, 3, range(30))) == [3**n for n in range(30)]


def test_an_error_in_a_batch_reaches_the_caller(scheduler):
    with cluster.connected(scheduler) as client, pytest.raises(ZeroDivisionError):
        list(cluster.map_batches(client, divmod, 1, [1, 0]))


def test_workers_with_other_code_are_refused(scheduler, monkeypatch):
    answers = iter(["theirs", "ours"])  # the worker is in this process and is asked first
    monkeypatch.setattr(cluster, "digest", lambda modules: next(answers))
    with pytest.raises(WesnpuError, match="other code"), cluster.connected(scheduler):
        pass


def test_a_cluster_without_workers_is_refused():
    with distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=None, protocol="tcp://") as empty:
        with pytest.raises(WesnpuError, match="no worker"), cluster.connected(empty.scheduler_address):
            pass


def test_an_address_that_does_not_answer_is_named():
    with socket.socket() as bound:  # bound, not listening: nobody answers there
        bound.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(WesnpuError, match=address), cluster.connected(address, timeout=0.5):
            pass


@pytest.mark.parametrize("address", ["nonsense://x", "", "tcp://"])
def test_an_address_that_is_none_is_named(address):
    with pytest.raises(WesnpuError, match="scheduler"), cluster.connected(address, timeout=0.5):
        pass


def test_without_the_package_the_error_names_it(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "distributed":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(WesnpuError, match=r"dask\[distributed\]"), cluster.connected("tcp://127.0.0.1:1"):
        pass
