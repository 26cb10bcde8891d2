"""`files` of a node: a Secret as a folder with one file per key.

The files lie in a private folder of this process in the workspace (0700, files 0600). In a container that
folder is mounted where the node wants it. On the host the node's `path` becomes a symbolic link to it for as
long as an attempt needs it: scripts find `/run/db/password` as they do on the cluster, if the user may write
there; if not, the attempt fails and says so. Attempts of this process that want the same Secret at the same
path share the link.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fairlead.local.subprocesses import secrets
from fairlead.local.subprocesses.refusals import Refusal
from fairlead.model import reasons


class SecretFiles:
    """The Secrets that this process has put into files."""

    def __init__(self, workspace: Path, environ: Mapping[str, str]) -> None:
        self._all = workspace / "secrets"
        self._own = self._all / _identity(os.getpid())
        self._environ = environ
        self._users: dict[str, int] = {}
        self._swept = False

    def folder(self, secret: str, *, anyone: bool = False) -> Path:
        """The folder with a Secret's files. `anyone`: files that any user of a container can read (the
        folders above are private).
        """
        self._sweep()
        texts = secrets.contents(secret, self._environ)
        folder = self._own / f"{secret}{'.container' if anyone else ''}"
        if not folder.is_dir():
            self._own.mkdir(mode=0o700, parents=True, exist_ok=True)
            unfinished = folder.with_name(f"{folder.name}.new")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            for name, text in texts.items():
                file = unfinished / name
                file.touch(mode=0o600)
                file.write_text(text, encoding="utf-8", errors="surrogateescape")
                file.chmod(0o644 if anyone else 0o600)  # whatever the umask is
            unfinished.chmod(0o755 if anyone else 0o700)
            unfinished.rename(folder)
        return folder

    def link(self, files: Iterable[Mapping[str, Any]]) -> list[str]:
        """Make the links that one attempt on the host needs; what it returns is for `unlink`."""
        made: list[str] = []
        try:
            for entry in files:
                self._link(entry["secret"], entry["path"])
                made.append(entry["path"])
        except Refusal:
            self.unlink(made)
            raise
        return made

    def unlink(self, paths: Iterable[str]) -> None:
        """An attempt has ended: take away the links that no other one uses."""
        for path in paths:
            self._users[path] -= 1
            if self._users[path] == 0:
                del self._users[path]
                if _is_link_into(path, self._own):
                    Path(path).unlink()

    def close(self) -> None:
        """Take away everything of this process."""
        for path in list(self._users):
            self._users[path] = 1
            self.unlink([path])
        shutil.rmtree(self._own, ignore_errors=True)

    def _link(self, secret: str, path: str) -> None:
        target = self.folder(secret)
        if not path.startswith("/"):
            raise Refusal(
                reasons.SECRET_UNUSABLE,
                f"files path {path!r} of Secret {secret!r} is relative; expected an absolute path",
            )
        place = Path(path)
        if path in self._users and place.is_symlink() and place.readlink() == target:
            self._users[path] += 1
            return
        try:
            if _is_link_into(path, self._all) and not place.exists():
                place.unlink()  # of a process that was killed
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(target)
        except OSError as error:
            raise Refusal(
                reasons.SECRET_UNUSABLE,
                f"Secret {secret!r} cannot be put at {path!r} on this host ({error.strerror}); expected a path that does not "
                "exist, in a folder you may write to, or use envFrom, or an image with podman or docker",
            ) from None
        self._users[path] = 1

    def _sweep(self) -> None:
        """Once, before the first use: remove what processes that were killed left behind."""
        if self._swept:
            return
        self._swept = True
        for folder in self._all.glob("*"):
            pid = folder.name.partition("-")[0]
            if pid.isdigit() and folder.name != _identity(int(pid)):
                shutil.rmtree(folder, ignore_errors=True)


def _identity(pid: int) -> str:
    """A process's pid and start time, or its pid alone where the system does not say; `PID-` for none that lives."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return f"{pid}-"
        except OSError:
            return f"{pid}"
        return f"{pid}"
    return f"{pid}-{stat.rpartition(b')')[2].split()[19].decode()}"


def _is_link_into(path: str, folder: Path) -> bool:
    place = Path(path)
    return place.is_symlink() and place.readlink().is_relative_to(folder)
