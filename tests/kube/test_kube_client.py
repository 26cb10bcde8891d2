"""The thin client on a real API server: what it answers is told apart by what the caller must do."""

from __future__ import annotations

import asyncio
import gc
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.plane import VISITOR
from tests.support.kube import config_map, with_client

from fairlead.kube.client import (
    CONFIG_MAPS,
    EXECUTIONS,
    AlreadyExists,
    Forbidden,
    Invalid,
    NamespaceTerminating,
    from_kubeconfig,
)
from fairlead.model.errors import Conflict, NotFound, Unavailable


@pytest.fixture
def run(cluster):
    """Run work that is given a client."""
    return lambda work: with_client(cluster.kubeconfig, work)


def changed(kubeconfig: Path, folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A kubeconfig with something else in it."""
    config = json.loads(kubeconfig.read_text())
    change(config)
    file = folder / "kubeconfig"
    file.write_text(json.dumps(config))
    return file


def test_an_object_is_created_patched_read_and_deleted(run, namespace):
    """Each write answers with the metadata that the object has afterwards."""

    async def work(client):
        born = await client.create(CONFIG_MAPS, namespace, config_map("a", data={"x": "1"}))
        patched = await client.patch(CONFIG_MAPS, namespace, "a", {"data": {"x": "2"}})
        read = json.loads(await client.get(CONFIG_MAPS, namespace, "a"))
        await client.delete(CONFIG_MAPS, namespace, "a", uid=born.uid)
        with pytest.raises(NotFound, match=f"get .*{namespace}/configmaps/a was answered 404"):
            await client.get(CONFIG_MAPS, namespace, "a")
        return born, patched, read

    born, patched, read = run(work)

    assert "2" == read["data"]["x"]
    assert (patched.uid, patched.resource_version) == (born.uid, read["metadata"]["resourceVersion"])
    assert born.resource_version != patched.resource_version


def test_a_name_that_is_taken_is_told_from_a_version_that_is_old(run, namespace):
    """Both are 409, and ask for different things: to compare what is there, or to read again."""

    async def work(client):
        born = await client.create(CONFIG_MAPS, namespace, config_map("a"))
        with pytest.raises(AlreadyExists):
            await client.create(CONFIG_MAPS, namespace, config_map("a"))
        await client.patch(CONFIG_MAPS, namespace, "a", {"data": {"x": "1"}})
        with pytest.raises(Conflict) as stale:
            await client.patch(
                CONFIG_MAPS,
                namespace,
                "a",
                {"metadata": {"resourceVersion": born.resource_version}, "data": {"x": "2"}},
            )
        with pytest.raises(Conflict):
            await client.delete(CONFIG_MAPS, namespace, "a", uid="00000000-0000-0000-0000-000000000000")
        return stale.value

    assert type(run(work)) is Conflict


def test_what_the_server_refuses_says_which_field_and_why(run, namespace):
    """A 422 carries its causes."""

    async def work(client):
        wrong = {
            "apiVersion": "fairlead.dev/v1alpha1",
            "kind": "WorkflowExecution",
            "metadata": {"name": "a"},
            "spec": {"workflow": {"name": 7}},
        }
        with pytest.raises(Invalid) as refused:
            await client.create(EXECUTIONS, namespace, wrong)
        return refused.value

    refused = run(work)

    assert "Invalid" == refused.reason
    assert "spec.workflow.name" in {cause.field for cause in refused.causes}


def test_a_change_of_what_is_immutable_is_invalid(run, namespace):
    """An immutable ConfigMap answers 422 to a change of its data, however fresh the version is."""

    async def work(client):
        await client.create(CONFIG_MAPS, namespace, config_map("a", immutable=True, data={"x": "1"}))
        with pytest.raises(Invalid, match="immutable"):
            await client.patch(CONFIG_MAPS, namespace, "a", {"data": {"x": "2"}})

    run(work)


def test_what_we_may_not_do_is_named(plane):
    """Forbidden says verb and resource."""

    async def work(client):
        with pytest.raises(Forbidden, match=r"create .*configmaps.* cannot create resource \"configmaps\""):
            await client.create(CONFIG_MAPS, "default", config_map("a"))

    with_client(plane.kubeconfig_of(VISITOR), work)


def test_a_token_that_is_no_good_is_forbidden(plane, tmp_path):
    """A 401 is asked again once with a fresh token, then told."""
    bad = changed(plane.kubeconfig, tmp_path, lambda config: config["users"][0]["user"].update(token="wrong"))

    async def work(client):
        with pytest.raises(Forbidden, match="401"):
            await client.get(CONFIG_MAPS, "default")

    with_client(bad, work)


def test_a_namespace_that_is_going_takes_nothing(run, cluster):
    """A create in a namespace that is being deleted is told apart from a missing right."""
    name = "going-namespace"
    cluster.kubectl("create", "namespace", name)
    held = config_map("held")
    held["metadata"]["finalizers"] = ["test.fairlead.dev/hold"]

    async def work(client):
        await client.create(CONFIG_MAPS, name, held)
        cluster.kubectl("delete", "namespace", name, "--wait=false")
        with pytest.raises(NamespaceTerminating):
            await client.create(CONFIG_MAPS, name, config_map("late"))
        await client.patch(CONFIG_MAPS, name, "held", {"metadata": {"finalizers": None}})

    run(work)


def test_reads_outlive_a_restart_of_the_server(plane):
    """A read that meets a server that is away waits for it; so does a write that could not be sent."""
    plane.processes["kube-apiserver"].kill()

    async def work(client):
        plane.processes["kube-apiserver"].start()
        await client.create(CONFIG_MAPS, "default", config_map("after-restart"), seconds=40)
        await client.get(CONFIG_MAPS, "default", "after-restart", seconds=40)

    try:
        with_client(plane.kubeconfig, work)
    finally:
        plane.wait_until_ready()


def test_a_client_leaves_no_connection_behind(run):
    """Requests and watches that are called off at any time: whoever ends the loop after the client finds nothing open."""

    async def work(client, seconds):
        async def asks():
            while True:
                await client.get(CONFIG_MAPS, "default")

        async def watches():
            path = CONFIG_MAPS.path("default", None)
            async with client.stream(path, {"watch": "true"}, silence=30) as stream:
                await stream.read()

        tasks = [asyncio.create_task(job()) for job in (asks, asks, asks, watches, watches)]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for hundredths in range(10):
            run(lambda client, seconds=hundredths / 100: work(client, seconds))
            gc.collect()

    assert not [str(one.message) for one in heard if one.category is ResourceWarning]


def test_a_server_that_stays_away_is_unavailable(tmp_path, plane):
    """After the patience of a request the error names the server."""
    nowhere = {"server": "https://127.0.0.1:9"}
    file = changed(
        plane.kubeconfig, tmp_path, lambda config: config["clusters"][0]["cluster"].update(nowhere)
    )

    async def work(client):
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1 cannot be reached"):
            await client.get(CONFIG_MAPS, "default", seconds=0.3)

    with_client(file, work)


def test_a_kubeconfig_that_cannot_be_used_is_named(tmp_path):
    """Whoever gives a wrong file reads its name."""
    file = tmp_path / "nothing"

    with pytest.raises(Unavailable, match=str(file)):
        from_kubeconfig(file)
