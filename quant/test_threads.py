"""Bytes of quantized networks do not depend on the number of BLAS threads."""

import os
import subprocess
import sys

import pytest

from quant.evaluation.fashion import MODELS

IMAGES = 4
QUANTIZE = f"""
import hashlib
from golden.file import encode_network
from quant.evaluation import fashion
from quant.recipe import quantize

images = fashion.data().calibration[:{IMAGES}]
how = {{"recipe": "channelwise+ecr-steps+bc", "weight_bits": 4, "preprocessing": fashion.PREPROCESSING}}
print(hashlib.sha256(encode_network(quantize(fashion.imported("fashion_nano"), images, **how))).hexdigest())
"""


def digest(threads: int) -> str:
    environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    run = subprocess.run(
        [sys.executable, "-c", QUANTIZE], cwd=MODELS.parent, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="BLAS takes no second thread on one processor")
def test_two_threads_give_the_bytes_of_one():
    assert digest(2) == digest(1)
