"""`fairlead export` and `fairlead import`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairlead.apps.cli.options import (
    Context,
    Kubeconfig,
    LeaseName,
    Local,
    Name,
    Namespace,
    StorePath,
    Where,
)
from fairlead.apps.cli.terminal import out, say
from fairlead.model.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from fairlead.kube.client import Client
    from fairlead.model.state import State
    from fairlead.runtime.bundles import Bundle

Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Default: ID.fairlead.gz; - is stdout.", show_default=False
    ),
]
AnyPhase = Annotated[bool, typer.Option("--force", help="Also while it is at work; see above.")]
File = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="What `fairlead export` wrote; - is stdin.", show_default=False),
]
NewName = Annotated[
    str | None, typer.Argument(metavar="NAME", help="Another name than it had.", show_default=False)
]


def export(
    name: Name,
    output: Output = None,
    force: AnyPhase = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    store: StorePath = None,
    local: Local = False,
) -> None:
    """Write an execution with its definition, its log and all its values into one file, for another cluster or store.

    It has to have ended, or to be suspended with nothing at work. With --force what runs is lost to the copy, which delivers it
    again: such work may be done twice. The execution here stays as it is; of the two only one should go on. Executions that its
    nodes have started are not in the file.

    Examples:
      fairlead export order-qwxyz -n shop
      fairlead export order-qwxyz --local -o order.fairlead.gz
    """
    from fairlead.apps.cli import executions
    from fairlead.apps.cli.homes import means_cluster
    from fairlead.model.times import format_time
    from fairlead.runtime.bundles import packed

    file = Path(f"{name}.fairlead.gz") if output is None else output
    _demand_new(file)
    at = format_time(executions.now())
    where = Where(store, local, namespace, context, kubeconfig)
    if means_cluster(where):
        from fairlead.apps.cli.cluster.reaching import in_cluster

        async def work(client: Client, place: str) -> Bundle:
            from fairlead.kube.moving import export_run

            return await export_run(client, place, name, at, force=force)

        bundle = in_cluster(where, work)
    else:
        bundle = _from_store(name, store, at, force=force)
    _write(file, packed(bundle))
    if str(file) != "-":
        out(f"{name} is exported to {file}: {_contents(bundle)}")


def import_(
    file: File,
    name: NewName = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    store: StorePath = None,
    local: Local = False,
    lease: LeaseName = None,
) -> None:
    """Take in an execution that `fairlead export` wrote, under a uid of its own; it goes on where it was.

    One that was suspended stays so until it is resumed; a failed one can be redriven. Importing into a cluster takes the right to
    write records (verb write on records.internal.fairlead.dev). A file that is cut, altered or newer is refused as a whole.

    Examples:
      fairlead import order-qwxyz.fairlead.gz -n shop
      fairlead import order-qwxyz.fairlead.gz order-again --local
    """
    from fairlead.apps.cli import executions
    from fairlead.apps.cli.homes import means_cluster
    from fairlead.runtime import bundles

    target = Where(store, local, namespace, context, kubeconfig)
    where = "stdin" if str(file) == "-" else str(file)
    bundle = bundles.unpacked(_read(file), where)
    state = bundles.check(bundle, where)
    called = _named(name, state)
    if means_cluster(target):
        from fairlead.apps.cli.cluster.reaching import in_cluster

        async def work(client: Client, place: str) -> str:
            from fairlead.kube import names
            from fairlead.kube.leases import reign
            from fairlead.kube.moving import import_run

            now, epoch = executions.now(), await reign(client, place, lease or names.LEASE)
            await import_run(client, bundle, state, (place, called), now, where, epoch=epoch)
            return f" -n {place}"

        option = in_cluster(target, work)
    else:
        option = _into_store(bundle, state, called, store, where)
    out(f"{called} is imported: {state.phase} at event {state.seq}")
    if state.suspended_at:
        say(f"`fairlead resume {called}{option}` lets it go on")


def _from_store(name: str, path: Path | None, at: str, *, force: bool) -> Bundle:
    from fairlead.apps.cli import executions
    from fairlead.apps.cli.store_home import StoreHome, inline
    from fairlead.local.moving import export_run

    with StoreHome(path) as home:
        found = home.load(name)
        execution = {**found.object, "status": executions.status_of(found)}
        return inline(export_run(home.store, name, execution, at, force=force))


def _into_store(bundle: Bundle, state: State, name: str, path: Path | None, where: str) -> str:
    from fairlead.apps.cli import executions
    from fairlead.apps.cli.store_home import inline, open_store, run_option
    from fairlead.local.moving import import_run

    with open_store(path, create=True) as opened:
        inline(import_run(opened, bundle, state, name, executions.now(), where))
    return run_option(path) or " --local"


def _contents(bundle: Bundle) -> str:
    from fairlead.apps.views.words import count

    values = f" and {count(len(bundle.values), 'large value')}" if bundle.values else ""
    return f"{count(len(bundle.events), 'event')}{values}"


def _named(name: str | None, state: State) -> str:
    from fairlead.model.manifests.base import shown
    from fairlead.model.manifests.scalars import OBJECT_NAME, OBJECT_NAME_RULE

    called = name or state.name
    if len(called) > 253 or not OBJECT_NAME.match(called):
        raise InvalidInput(
            f"{shown(called)} cannot name an execution; expected {OBJECT_NAME_RULE}", "BadName"
        )
    return called


def _demand_new(target: Path) -> None:
    if target.exists():
        raise InvalidInput(f"{target} exists already; expected the name of a new file, see -o")


def _write(target: Path, data: bytes) -> None:
    """The whole file or none, for this user's eyes alone: a log holds what nodes were given and gave."""
    if str(target) == "-":
        sys.stdout.buffer.write(data)
        return
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        draft.touch(mode=0o600)
        draft.write_bytes(data)
        draft.replace(target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise Unavailable(f"{target} could not be written ({error.strerror}); see -o") from error


def _read(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"{file} cannot be read ({error.strerror}); expected a file of `fairlead export`"
        ) from error
