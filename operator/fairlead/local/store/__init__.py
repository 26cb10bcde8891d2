"""The local store: one SQLite file with every execution, its log, and what people wish for it.

Rules of this package
- One file in WAL mode, used by several processes at once: readers never wait, writers take turns. A connection
  belongs to the thread that opened it.
- Every change is one `BEGIN IMMEDIATE` transaction: after a kill -9 at any moment it is there whole or not at all, and what was
  committed stays.
- The power may go. What others have seen is on the disk before they see it: a commit after which an attempt starts or the run
  ends is flushed (`synchronous=FULL`: 0.2 to 1.3 ms where a plain commit takes 0.02 ms). Other commits (results, engine nodes)
  reach the disk with the next one of those or with the next checkpoint of the WAL; a power loss may drop the newest of them,
  never one from the middle. Then an attempt whose result was dropped runs again, as the same attempt with the same
  idempotency key.
- Each event carries a hash over itself and all before it, and the log's length and last hash stand apart: a changed, removed,
  swapped or added event is found and named (`LogDamaged`). The chain is a guard against accidents and casual edits, no signature.
- Everything that goes wrong with the file is `Unavailable` with one sentence that names the path and says what to do.
- Beside the file STORE lies the folder STORE.d with the lock and the files of each execution.
"""

from fairlead.local.store.locations import default_store_path
from fairlead.local.store.ownership import Ownership
from fairlead.local.store.records import ExecutionRecord, ExecutionRow, WishChanges
from fairlead.local.store.store import Store

__all__ = ["ExecutionRecord", "ExecutionRow", "Ownership", "Store", "WishChanges", "default_store_path"]
