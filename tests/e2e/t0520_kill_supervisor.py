"""kill -9 of the supervisor."""

import harness
from kill import STEPS, kills


def test_supervisor():
    """the supervisor, at each step"""
    kills("supervisor", STEPS)


harness.main(globals())
