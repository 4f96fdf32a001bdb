"""python -m clipfair.train REQUEST: one process of a training, as torchrun starts it.

REQUEST is a JSON file with the arguments of :func:`clipfair.train.run.train`.
"""

import argparse

from clipfair.core.errors import one_line_errors
from clipfair.train.launch import run_request

parser = argparse.ArgumentParser(prog="python -m clipfair.train", description="One process of a training.")
parser.add_argument("request", metavar="REQUEST", help="a JSON file with the arguments of the training")
arguments = parser.parse_args()
with one_line_errors():
    run_request(arguments.request)
