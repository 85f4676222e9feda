"""The command line, the demo and the report; what a user sees.

Linear algebra takes one thread unless the environment says otherwise: with more, sums are added in another order, and
what is learned from them may differ in its last bits.
"""

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")  # read when NumPy is imported
