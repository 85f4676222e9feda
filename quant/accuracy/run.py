"""Results of many methods, those that are kept and those still to be found, on one or several processes."""

import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process

import numpy as np

from quant.accuracy.measure import Measured, Run, evaluation_digest, measure
from quant.accuracy.method import Method
from quant.accuracy.store import Store, float_key, key
from quant.accuracy.subject import Subject
from quant.images.batches import Images


@dataclass(frozen=True)
class Unit:
    """One result to find: subject and method by their position, and the calibration draw."""

    subject: int
    method: Method
    draw: int


@dataclass(frozen=True, eq=False)
class Comparison:
    """Subjects, the float network's scores on each, and the results found so far, all kept in `store`.

    scheduler: address of a dask.distributed cluster that runs the integers, as `quant.evaluation.evaluate.scores`.
    times: of the results whose time is known, processor seconds from float network to figures; none of those found on
    a cluster.
    """

    subjects: Sequence[Subject]
    store: Store
    scheduler: str | None = None
    identities: list[str] = field(default_factory=list)
    references: list[np.ndarray] = field(default_factory=list)
    results: dict[Unit, Measured] = field(default_factory=dict)
    times: dict[Unit, float] = field(default_factory=dict)
    keys: dict[Unit, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        evaluation_digest()
        for subject in self.subjects:
            self.identities.append(subject.identity())
            self.references.append(self.store.array(float_key(self.identities[-1]), subject.reference))

    def key(self, unit: Unit) -> str:
        """The name of a unit's result in the store, by the code as it was when it was asked for first."""
        if unit not in self.keys:
            subject = self.subjects[unit.subject]
            self.keys[unit] = key(self.identities[unit.subject], subject, unit.method, unit.draw)
        return self.keys[unit]

    def recall(self, units: Iterable[Unit]) -> list[Unit]:
        """Take the kept results of these units; returns those that have none."""
        missing = []
        for unit in units:
            kept = self.store.get(self.key(unit))
            if kept is None:
                missing.append(unit)
            else:
                self._take(unit, kept, self.store.seconds(self.key(unit)))
        return missing

    def _take(self, unit: Unit, result: Measured, seconds: float | None) -> None:
        self.results[unit] = result
        if seconds is not None:
            self.times[unit] = seconds

    def find(self, unit: Unit) -> tuple[Measured, float | None]:
        """Measure one unit and keep it; the processor seconds it took are None where scores were known before or a
        cluster found them.
        """
        began, ran = time.process_time(), [0]
        subject, reference = self.subjects[unit.subject], self.references[unit.subject]

        def keep(name: str, code: str, images: Images, run: Run) -> np.ndarray:
            def counted(some: Images) -> np.ndarray:
                ran[0] += len(some)
                return run(some)

            return self.store.scores(name, code, images, counted)

        found = measure(subject, reference, unit.method, unit.draw, scheduler=self.scheduler, keep=keep)
        whole = unit.method.baseline or bool(found.refused) or ran[0] >= len(subject.images)
        seconds = time.process_time() - began if whole and not self.scheduler else None
        self.store.put(self.key(unit), found, seconds)
        return found, seconds

    def run(self, units: Sequence[Unit], processes: int = 1) -> Iterator[Unit]:
        """Find what is missing and yield every unit of `units` as its result is there; results do not depend on how.

        Interrupted, what was found is kept.
        """
        missing = self.recall(units)
        yield from (unit for unit in units if unit not in set(missing))
        if processes == 1:
            for unit in missing:
                self._take(unit, *self.find(unit))
                yield unit
        elif missing:
            yield from self._spread(missing, processes)

    def _spread(self, units: Sequence[Unit], processes: int) -> Iterator[Unit]:
        pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=_adopt, initargs=(self,))
        try:
            waiting = {pool.submit(_find, unit): unit for unit in units}
            for done in as_completed(waiting):
                self._take(waiting[done], *done.result())
                yield waiting[done]
        finally:
            pool.shutdown(cancel_futures=True)


_own: list[Comparison] = []


def _adopt(comparison: Comparison) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    evaluation_digest()
    _own[:] = [comparison]


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # a killed parent tells its workers nothing


def _find(unit: Unit) -> tuple[Measured, float | None]:
    return _own[0].find(unit)
