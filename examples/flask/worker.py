"""A worker process: does its work once a second until it is told to end."""

import signal
import threading

ended = threading.Event()
signal.signal(signal.SIGTERM, lambda signum, frame: ended.set())

print("worker: started", flush=True)
round_number = 0
while not ended.wait(1):
    round_number += 1
    print(f"worker: round {round_number}", flush=True)
print("worker: ended", flush=True)
