"""kill -9 of the builder, the deployer and their workers."""

import harness
from kill import kills


def test_builder():
    """the builder dispatcher and the build worker"""
    kills("builder", ["build", "command", "rollout"])
    kills("build", ["build", "publish"])


def test_deployer():
    """the deployer dispatcher and the release worker"""
    kills("deployer", ["build", "command", "apply", "rollout"])
    kills("release", ["publish", "command", "apply", "rollout"])


harness.main(globals())
