"""What nodes print: kept, bounded, told apart, readable from another process while they run, and without secrets."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.local.subprocess_support import UID, attempt, home, read_output

from fairlead.local.subprocesses import Line, lines, output_path, tail
from fairlead.local.subprocesses.output import Output
from fairlead.local.subprocesses.output_log import KEPT, OutputLog
from fairlead.local.subprocesses.output_reading import STDERR, STDOUT, beside
from fairlead.local.subprocesses.secrets import Mask

MIB = 1024 * 1024


def kept(log: Path) -> list[tuple[str, str]]:
    return [(line.stream, line.text) for line in lines(log)]


def test_streams_are_told_apart(tmp_path: Path):
    """Each line knows its stream and its time; both streams stand in the order in which they came."""

    async def scenario() -> None:
        async with home(tmp_path) as local:
            script = f"echo one; until [ -e {tmp_path}/1 ]; do sleep 0.01; done; echo two >&2; "
            script += f"until [ -e {tmp_path}/2 ]; do sleep 0.01; done; printf three"
            key = local.start(attempt(sh=script))
            log = output_path(tmp_path, UID, key)
            await local.until(lambda: kept(log) == [("stdout", "one")], "the first line")
            (tmp_path / "1").touch()
            await local.until(lambda: kept(log)[1:] == [("stderr", "two")], "the second line")
            assert [line.text for line in local.runner.tail(UID, key, 1)] == ["two"]
            (tmp_path / "2").touch()
            ended = await local.ended(key)

            assert kept(log) == [("stdout", "one"), ("stderr", "two"), ("stdout", "three")]
            assert read_output(log) == b"one\ntwo\nthree"
            assert [line.text for line in tail(log, 2)] == ["two", "three"]
            assert local.runner.tail(UID, key, 2) == tail(log, 2)
            times = [line.at for line in lines(log)]
            assert times == sorted(times)
            assert local.events[0].at <= times[0] <= times[-1] <= ended.at

    asyncio.run(scenario())


def test_nothing_printed_is_no_file(tmp_path: Path):
    """A silent node costs no file, and reading its output gives nothing."""

    async def scenario() -> None:
        async with home(tmp_path) as local:
            ended = await local.run(attempt(sh="true"))

            log = output_path(tmp_path, UID, ended.key)
            assert not log.exists()
            assert (read_output(log), list(lines(log)), tail(log, 5)) == (b"", [], [])

    asyncio.run(scenario())


@pytest.mark.parametrize("redirect", ["", ">&2"], ids=["stdout", "stderr"])
def test_a_hundred_megabytes(tmp_path: Path, redirect: str):
    """Of 100 MB the first and the last MiB are kept, with the count of what was left out; our memory does not grow by it."""
    size = 100_000_000
    script = f"""
import os
block = b"".join(b"%015d\\n" % n for n in range(4096))
os.write({2 if redirect else 1}, b"begin" + bytes(11))
view, left = memoryview(block), {size} - 32
while left:
    left -= os.write({2 if redirect else 1}, view[:left])
os.write({2 if redirect else 1}, bytes(13) + b"end")
"""

    async def scenario() -> None:
        async with home(tmp_path) as local:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            ended = await local.run(attempt(python=script))
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

            assert ended.outputs == {}
            assert grown < 16 * 1024  # KiB
            log = output_path(tmp_path, UID, ended.key)
            text = read_output(log)
            gap = f"\n… {size - 2 * MIB} bytes left out …\n".encode()
            assert text[MIB : MIB + len(gap)] == gap
            assert len(text) == 2 * MIB + len(gap)
            assert (text[:5], text[-3:]) == (b"begin", b"end")
            assert [path.name for path in log.parent.iterdir()] == [log.name]
            assert log.stat().st_size < 2.1 * MIB

    asyncio.run(scenario())


def test_a_node_that_prints_for_ever_can_be_watched_and_stopped(tmp_path: Path):
    """While a node floods its output, another process reads its end, memory is bounded, and a stop still works."""

    async def scenario() -> None:
        async with home(tmp_path) as local:
            key = local.start(attempt(sh="yes 'a line'"))
            log = output_path(tmp_path, UID, key)
            await local.until(beside(log, ".b").exists, "more than two MiB of output")

            program = "import sys; from pathlib import Path; from fairlead.local.subprocesses import tail; "
            program += "print([line.text for line in tail(Path(sys.argv[1]), 3)][:2])"
            reader = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", program, str(log)),
                stdout=subprocess.PIPE,
                env={"PYTHONPATH": os.pathsep.join(sys.path)},
            )
            seen, _ = await asyncio.wait_for(reader.communicate(), 30)
            assert seen.decode().strip() == "['a line', 'a line']"

            local.runner.stop(key, grace=0)
            assert (await local.ended(key)).stopped
            assert log.stat().st_size < 2.1 * MIB
            assert tail(log, 10**9)[-2].text == "a line"

    asyncio.run(scenario())


def test_output_that_cannot_be_kept_does_not_fail_the_node(tmp_path: Path):
    """A disk that takes no output is reported beside the result; the node's work counts."""
    (tmp_path / "logs").write_text("a file in the way")

    async def scenario() -> None:
        async with home(tmp_path) as local:
            ended = await local.run(attempt(sh="echo out; echo '{\"a\": 1}' > $FAIRLEAD_OUTPUTS"))

            assert ended.outputs == {"a": 1}
            assert "output could not be kept: " in ended.output_problem

    asyncio.run(scenario())


def test_logs_are_private(tmp_path: Path):
    """Nobody else on the machine reads what a node printed."""

    async def scenario() -> None:
        async with home(tmp_path) as local:
            ended = await local.run(attempt(sh="echo out"))

            log = output_path(tmp_path, UID, ended.key)
            assert (log.stat().st_mode & 0o777, log.parent.stat().st_mode & 0o777) == (0o600, 0o700)

    asyncio.run(scenario())


chunks = st.lists(
    st.tuples(st.sampled_from([STDOUT, STDERR]), st.integers(1, 700_000)), min_size=1, max_size=12
)


@given(chunks)
def test_what_is_kept_is_the_beginning_and_the_end(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[tuple[int, int]]
):
    """Whatever the pieces: at every moment a reader has the first MiB and at least the last, and after the end exactly these."""
    path = tmp_path_factory.mktemp("log") / "x.log"
    log = OutputLog(path)
    printed = b""
    for number, (stream, size) in enumerate(sizes):
        data = bytes([number + 1]) * size
        printed += data
        log.write(stream, data, at=number)
        head, _, rest = _split(read_output(path))
        assert printed.startswith(head)
        assert printed.endswith(rest)
        assert len(head) + len(rest) >= min(len(printed), 2 * KEPT)
    log.close()

    head, left_out, rest = _split(read_output(path))
    assert log.problem == ""
    assert (head + rest == printed) if len(printed) <= 2 * KEPT else (len(head), len(rest)) == (KEPT, KEPT)
    assert printed.startswith(head)
    assert printed.endswith(rest)
    assert left_out == len(printed) - len(head) - len(rest)


def _split(text: bytes) -> tuple[bytes, int, bytes]:
    mark = "\n… ".encode()
    if mark not in text:
        return text, 0, b""
    head, _, rest = text.partition(mark)
    count, _, rest = rest.partition(" bytes left out …\n".encode())
    return head, int(count), rest


def test_a_gap_is_a_line(tmp_path: Path):
    """Line by line, what was left out is a line of its own, and lines that it cut are shown as far as they go."""
    log = OutputLog(tmp_path / "x.log")
    for number in range(5):
        log.write(STDOUT, f"{number}".encode() * KEPT, at=number)
    log.close()

    assert [(line.stream, line.text[:3], line.text[-3:]) for line in lines(log.path)] == [
        ("stdout", "000", "000"),
        ("gap", "… 3", "t …"),
        ("stdout", "444", "444"),
    ]
    assert list(lines(log.path))[1].text == f"… {3 * KEPT} bytes left out …"


def test_lines_of_two_streams_are_not_mixed(tmp_path: Path):
    """A line that comes in pieces is one line, whatever the other stream says in between; CRLF ends a line too."""
    log = OutputLog(tmp_path / "x.log")
    for stream, data in (
        (STDOUT, b"out-"),
        (STDERR, b"err\r\n"),
        (STDOUT, b"put\nand "),
        (STDERR, b"\xff"),
        (STDOUT, b"so on"),
    ):
        log.write(stream, data, at=7)
    log.close()

    assert list(lines(log.path)) == [
        Line("stderr", 7, "err"),
        Line("stdout", 7, "out-put"),
        Line("stdout", 7, "and so on"),
        Line("stderr", 7, "\N{REPLACEMENT CHARACTER}"),
    ]


@given(
    st.lists(st.binary(max_size=12)), st.lists(st.text("abc", min_size=4, max_size=8), min_size=1, max_size=3)
)
def test_no_secret_gets_through_in_pieces(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], values: list[str]
):
    """However a value is cut into pieces it is replaced, and nothing else is lost or delayed beyond the end."""
    path = tmp_path_factory.mktemp("log") / "x.log"
    output = Output(OutputLog(path), Mask(values), lambda: 0)
    text = b"<".join(pieces) + b">" + values[0].encode() + b"!"
    for position in range(0, len(text), 3):
        output.write(STDOUT, text[position : position + 3])
    output.close()

    found = read_output(path)
    assert all(value.encode() not in found for value in values)
    assert found.endswith(b"***!")
    if not any(byte in text[: -len(values[0]) - 1] for byte in b"abc"):
        assert found == text.replace(values[0].encode(), b"***")
