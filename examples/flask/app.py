"""A web process: answers with a greeting from its config."""

import os

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    return f"{os.environ.get('GREETING', 'Hello from Flask')}\n", {"Content-Type": "text/plain"}
