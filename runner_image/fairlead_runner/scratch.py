"""The private folder of one attempt: the files FAIRLEAD_INPUTS and FAIRLEAD_OUTPUTS, and the script's text.

Created with mode 0700 and removed with all that is in it when the attempt has ended. A home that names the
folder can remove it also after this process was killed.
"""

import posix

from fairlead_runner import lean_json
from fairlead_runner.documents import Node


class Scratch:
    """The folder and the paths in it."""

    __slots__ = ("_created", "folder", "inputs", "outputs", "script", "verdict")

    def __init__(self, folder: str) -> None:
        self._created = False
        self.folder = folder
        self.inputs = f"{folder}/inputs.json"
        self.outputs = f"{folder}/outputs.json"
        self.verdict = f"{folder}/verdict.json"
        self.script = f"{folder}/script"

    def create(self, node: Node) -> None:
        """Make the folder and put the inputs and empty outputs into it."""
        self._created = True
        self.script = f"{self.folder}/{_file_name(node.node)}{'.py' if node.kind == 'python' else '.sh'}"
        try:
            posix.mkdir(self.folder, 0o700)
        except FileExistsError:
            # The home named it, so it is ours: left by a process that was killed.
            self.remove()
            posix.mkdir(self.folder, 0o700)
        # In an image the command may be any user: the folder keeps others out, a file that is mounted from it
        # need not.
        readable, writable = (0o644, 0o666) if node.kind == "image" else (0o600, 0o600)
        write(self.inputs, lean_json.encode(node.inputs), readable)
        write(self.outputs, "", writable)

    def remove(self) -> None:
        """Take the folder away, whatever the node put into it."""
        if not self._created:
            return
        for path in (self.inputs, self.outputs, self.script, self.verdict):
            try:
                posix.unlink(path)
            except OSError:
                continue
        try:
            posix.rmdir(self.folder)
        except OSError:
            import shutil

            shutil.rmtree(self.folder, ignore_errors=True)


def choose(environ: dict[bytes, bytes]) -> str:
    """The folder that the home named, or a new name in TMPDIR."""
    named = environ.get(b"FAIRLEAD_SCRATCH")
    if named:
        return named.decode("utf-8", "surrogateescape")
    temporary = environ.get(b"TMPDIR", b"/tmp").decode("utf-8", "surrogateescape")
    return f"{temporary}/fairlead-{posix.urandom(8).hex()}"


def write(path: str, text: str, mode: int = 0o600) -> None:
    """Create a file with exactly this mode and text."""
    descriptor = posix.open(path, posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC, mode)
    try:
        if mode & 0o066:
            posix.fchmod(descriptor, mode)  # whatever the umask is
        view = memoryview(text.encode())
        while view:
            view = view[posix.write(descriptor, view) :]
    finally:
        posix.close(descriptor)


def _file_name(node: str) -> str:
    """The node's own name as tracebacks show it: `pack` for `lines[3]/pack`."""
    name = node.rpartition("/")[2][:80]
    return "".join(letter if letter.isalnum() or letter in "-_#" else "-" for letter in name) or "script"
