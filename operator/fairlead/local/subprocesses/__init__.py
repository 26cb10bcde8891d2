"""Runs the nodes of the local home as subprocesses of `fairlead_runner`, and keeps what they print.

    runner        start, stop, events: the queue and the places        attempts    what is asked and reported
    preparation   document, environment, folders of one attempt        secrets, secret_files, containers    their parts
    process       one runner process and its descriptors               output, output_log, output_reading   what is printed
    leftovers     what a killed fairlead left, by process_table        places      where things lie in the workspace

`process` knows nothing of queues, `output_log` nothing of processes, and none of it anything of the engine.
"""

from fairlead.local.subprocesses.attempts import Attempt, Ended, RunnerEvent, Started
from fairlead.local.subprocesses.leftovers import end_leftovers
from fairlead.local.subprocesses.output_reading import Line, lines, tail
from fairlead.local.subprocesses.places import output_path
from fairlead.local.subprocesses.runner import SubprocessRunner

__all__ = [
    "Attempt",
    "Ended",
    "Line",
    "RunnerEvent",
    "Started",
    "SubprocessRunner",
    "end_leftovers",
    "lines",
    "output_path",
    "tail",
]
