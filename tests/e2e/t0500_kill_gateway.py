"""kill -9 of sessions and the listener."""

import harness
from kill import STEPS, kills


def test_session():
    """sessions, at each step"""
    kills("session", STEPS)


def test_listener():
    """the listener, at each step"""
    kills("listener", STEPS)


harness.main(globals())
