"""A kubelet of a test: what a container of a pod would run, runs on this machine, with the Secrets that the pod names.

Secrets are put where the pod mounts them, so such paths are in a folder of the test. There are no images: their programs are
those of this machine.
"""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.operators import Site

from fairlead.local.subprocesses.process import runner_command

LONGEST = 50.0
"""Seconds that a container may run."""
MESSAGE = 4096
"""Bytes of a termination message that a kubelet takes."""


class Kubelet:
    """Plays the pods of a namespace in which nobody else does; `settings` is what an install would add to each container."""

    def __init__(self, site: Site, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self._site = site
        self._folder = folder
        self._settings = dict(settings or {})

    def play(self, pod: dict[str, Any]) -> str:
        """Run the container of a pod to its end and report it; what it printed."""
        [container] = pod["spec"]["containers"]
        self._mount(pod, container)
        message = self._folder / f"{pod['metadata']['name']}-message"
        message.touch()
        environment = {**os.environ, **self._environment(container), **self._settings}
        for name in ("FAIRLEAD_TERMINATION_LOG", "FAIRLEAD_OUTPUTS"):
            if name in environment:
                environment[name] = str(message)
        own = [self._plain(word) for word in (*container.get("command", ()), *container.get("args", ()))]
        done = subprocess.run(
            own or runner_command(),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        said = message.read_text(encoding="utf-8")[:MESSAGE]
        reason = "Error" if done.returncode else "Completed"
        ended = {"exitCode": done.returncode, "reason": reason, **({"message": said} if said else {})}
        self._site.play(pod, {"terminated": ended}, "Failed" if done.returncode else "Succeeded")
        return done.stdout

    def hold(self, pod: dict[str, Any], reason: str, message: str) -> None:
        """A container that cannot be started, in the words of a kubelet."""
        self._site.play(pod, {"waiting": {"reason": reason, "message": message}}, "Pending")

    def _environment(self, container: dict[str, Any]) -> dict[str, str]:
        found: dict[str, str] = {}
        for source in container.get("envFrom", ()):
            found |= self._secret(source["secretRef"]["name"])
        for one in container.get("env", ()):
            if "value" in one:
                found[one["name"]] = self._plain(one["value"])
            else:
                wanted = one["valueFrom"]["secretKeyRef"]
                found[one["name"]] = self._secret(wanted["name"])[wanted["key"]]
        return found

    def _mount(self, pod: dict[str, Any], container: dict[str, Any]) -> None:
        places = {mount["name"]: Path(mount["mountPath"]) for mount in container["volumeMounts"]}
        for volume in pod["spec"]["volumes"]:
            if "secret" not in volume:
                continue
            place = places[volume["name"]]
            assert place.is_relative_to(self._folder), place
            place.mkdir(parents=True, exist_ok=True)
            for key, value in self._secret(volume["secret"]["secretName"]).items():
                (place / key).write_text(value, encoding="utf-8")

    def _secret(self, name: str) -> dict[str, str]:
        data = self._site.object("secret", name)["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    @staticmethod
    def _plain(text: str) -> str:
        """As a kubelet reads it: two dollars are one."""
        return text.replace("$$", "$")
