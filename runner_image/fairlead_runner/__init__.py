"""Runs one attempt of one node: reads its document, does the work in a process of its own, reports one result.

Rules of this package
- Standard library only but for `reach` (http, notify, resource), which is imported when such a node runs; and
  nothing of `fairlead`: the two know each other by the node document alone.
- It starts once per attempt, so its start is the price of every node. Until the user's work runs only modules
  that are built in C are imported: an interpreter takes 7 ms here, `os` 1.2 ms more, `signal` 4, `json` 7,
  `subprocess` 11. Hence `posix`, `_signal` and `_json` where other code would write `os`, `signal` and
  `json`; what else is needed is imported when it is.
- The user's work is always a child, never this process: it may exit, crash, close every descriptor or kill
  its process group and the result is still reported. This process is the leader of the session, the child of
  a process group in it.
- Nothing that the node started outlives its attempt (`supervision`), also not when whoever waits for the
  result dies.
- A result is a plain dict (`results`); only `reporting` knows where it goes.

The local home starts it as `python -I -S -X utf8 -c START_LINE ROOT` (`START_LINE` is kept in one place by
the home), by hand it is `python -m fairlead_runner < document.json`. Environment that it reads, none of which
reaches the node:

    FAIRLEAD_NODE          the node document
    FAIRLEAD_NODE_FILE     the file that holds it; without both it is read from stdin
    FAIRLEAD_SCRATCH       the private folder to create and to remove again; default: a new one in TMPDIR
    FAIRLEAD_RESULT_FD     an inherited descriptor that gets the result: one JSON object and a newline
    FAIRLEAD_CONTROL_FD    an inherited descriptor: `stop MICROSECONDS` ends the work (TERM, KILL after that
                           time); its end of file says that nobody waits any more, and ends the work too
"""
