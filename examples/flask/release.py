"""The release command: runs once before each release goes live. A real app migrates its database here."""

import os

print(f"release: GREETING is {'set' if 'GREETING' in os.environ else 'not set'}")
