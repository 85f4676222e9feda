"""The command line, the demo and the report; what a user sees.

Linear algebra takes one thread unless the environment says otherwise: small machines are slower with more. (The passes
of quant.recipe take one in any case, so that their networks have the same bytes.)
"""

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")  # read when NumPy is imported
