"""python -m clipfair.train REQUEST: one process of a training, as torchrun starts it.

REQUEST is a JSON file with the arguments of :func:`clipfair.train.run.train`.
"""

import sys

from clipfair.core.errors import one_line_errors
from clipfair.train.launch import run_request

with one_line_errors():
    run_request(sys.argv[1])
