"""What cannot run is refused with exit code 2, a line for each thing wrong, and nothing started: the real command line."""

from __future__ import annotations

import json

import pytest
from tests.support.cli import manifest, sh


def findings(done, file):
    """The findings of a refusal without their file: line, reason and path; the last line of stderr is the refusal itself."""
    *told, refusal = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert refusal.startswith(f"error: {file} has ")
    assert refusal.endswith(", nothing was started")
    found = []
    for line in told:
        place, severity, rest = line.removeprefix(f"{file}:").split(" ", 2)
        if severity == "error":
            found.append((int(place.rstrip(":")), rest.split(":")[0], rest.rpartition(" (")[2].rstrip(")")))
    return found


# ------------------------------------------------------------------------------------------------------------- documents
def test_of_several_documents_each_that_cannot_run_is_told(cli):
    """A foreign object, a list and text: all of them are named with their lines."""
    file = cli.write("many.yaml", "kind: Pod\napiVersion: v1\n", "[1, 2]\n", "just text\n")

    found = findings(cli("run", file), file)

    assert [(4, "WrongType"), (6, "WrongType")] == [(line, reason) for line, reason, _ in found][-2:]
    assert not cli.store.exists()


@pytest.mark.parametrize("command", ["run", "validate", "graph"])
def test_a_file_without_an_end_is_read_only_so_far(cli, command):
    """/dev/zero is too long like any other file; nothing waits for its end."""
    done = cli(command, "/dev/zero")

    assert done.returncode == 2
    assert "/dev/zero:1: error FileTooLarge: the text is too long; expected at most 4,194,304 bytes" in (
        done.stdout + done.stderr
    )


def test_aliases_that_explode_are_refused(cli):
    """A billion values in nine lines of YAML are not built."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    file = cli.write("bomb.yaml", "\n".join(lines))

    [(_, reason, _)] = findings(cli("run", file), file)

    assert reason == "TooManyValues"


def test_a_workflow_has_ten_thousand_nodes_at_most(cli):
    """One more is one finding that says how many there are; 10,000 are fine."""
    nodes = [{"name": f"n{i}", "log": {"message": "x"}} for i in range(10_001)]
    many = cli.write("many.json", json.dumps(manifest("Workflow", "many", {"nodes": nodes})))
    most = cli.write("most.json", json.dumps(manifest("Workflow", "most", {"nodes": nodes[1:]})))

    done = cli("run", many)

    assert [(1, "TooManyNodes", "spec.nodes")] == findings(done, many)
    assert "the workflow has 10,001 nodes; expected at most 10,000" in done.stderr
    assert cli("validate", most).returncode == 0


# ----------------------------------------------------------------------------------------------------------------- names
def test_every_bad_name_is_told_at_its_line(cli):
    """Upper case, dashes at the ends, spaces, letters of other alphabets, numbers, too long, missing: all at once."""
    names = ["Upper", "-a", "a-", "a b", "naïve", "a" * 64, 7, ""]
    rows = "".join(f"  - {{name: {json.dumps(name)}, log: {{message: x}}}}\n" for name in names)
    head = "apiVersion: fairlead.dev/v1alpha1\nkind: Workflow\nmetadata: {name: Bad_Name}\nspec:\n  nodes:\n"
    file = cli.write("names.yaml", head + rows + "  - {log: {message: x}}\n")

    found = findings(cli("run", file), file)

    expected = [(6 + i, "BadName", f"spec.nodes[{i}].name") for i in range(8)]
    expected[6] = (12, "WrongType", "spec.nodes[6].name")
    assert [
        (3, "BadName", "metadata.name"),
        *expected,
        (14, "MissingField", "spec.nodes[8].name"),
    ] == found


@pytest.mark.parametrize(
    "name", ["UPPER", "a_b", "ü", "", "a..b", "a-", "../../x", "a b", "a" * 64, "a.b" * 99]
)
def test_what_cannot_name_an_execution_says_the_whole_rule(cli, name):
    """The sentence shows the value, cut where it is long, and what each part of a name may be."""
    done = cli("run", cli.workflow({"name": "a", "set": {"x": 1}}), name)

    [sentence] = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        "cannot name an execution; expected at most 253 lower-case letters, digits, dashes and dots, "
        in sentence
    )
    assert "at most 63 between dots" in sentence
    assert len(sentence) < 300
    assert not cli.store.exists()


# --------------------------------------------------------------------------------------------------------------- unicode
def test_unicode_goes_through_everything(cli):
    """File names, values, scripts, outputs and what nodes print; a terminal that cannot show it gets escapes."""
    file = cli.workflow(
        sh("a", 'echo \'☃ gelesen\'; echo \'{"ключ": "значение 😀"}\' > "$FAIRLEAD_OUTPUTS"'),
        {
            "name": "b",
            "after": ["a"],
            "with": {"x": "${nodes.a.outputs['ключ']}"},
            "run": {"python": 'print("日本", inputs); outputs["語"] = inputs["x"]'},
        },
        {"name": "c", "after": ["b"], "log": {"message": "${nodes.b.outputs['語']} ✓"}},
        file="ein Ordner/Ablauf ☃.yaml",
    )

    shown = cli.ok("run", file, "u")

    assert "info: значение 😀 ✓" in shown
    assert "☃ gelesen\n" in cli.ok("logs", "u", "a")
    assert "日本 {'x': 'значение 😀'}\n" in cli.ok("logs", "u", "b")
    ascii_alone = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert "\\u2603 gelesen\n" in cli.ok("logs", "u", "a", **ascii_alone)


def test_json_may_write_unicode_as_pairs_of_escapes(cli):
    """What `json.dumps` makes of an emoji is read as that emoji; half a pair is refused with its path."""
    whole = manifest("Workflow", "pair", {"nodes": [{"name": "a", "log": {"message": "😀"}}]})
    good = cli.write("good.json", json.dumps(whole))
    bad = cli.write("bad.json", json.dumps(whole).replace("\\ude00", ""))

    assert "info: 😀" in cli.ok("run", good)
    assert [(1, "BadJSON", "spec.nodes[0].log.message")] == findings(cli("run", bad), bad)


def test_a_variable_name_is_ascii(cli):
    """CEL knows no other letters; the message says so."""
    file = cli.workflow({"name": "a", "set": {"größe": 1}})

    done = cli("run", file)

    assert "'größe' is no variable name; expected ASCII letters, digits and underscores" in done.stderr
    assert done.returncode == 2


# ----------------------------------------------------------------------------------------------------- several at a time
MISTAKES = """\
apiVersion: fairlead.dev/v1alpha1
kind: Workflow
metadata: {name: wrong}
spec:
  timout: 10m
  inputs: {type: object, properties: {order: {type: string}}, additionalProperties: false}
  nodes:
  - name: fetch
    run: {sh: "echo ${inputs.order}"}
    retry: {maxAttempts: three, backoff: exponental}
  - name: check
    after: [fecth]
    if: inputs.ordr == 'x'
  - name: use
    after: [check.tru]
    wiht: {a: 1}
    set: {a: "${1 +}"}
  - name: one
    after: [two]
    set: {x: 1}
  - name: two
    after: [one]
    timeout: 10 minutes
    run: {sh: "true"}
"""


def test_all_mistakes_are_told_at_once_with_what_was_meant(cli):
    """Fields, values, nodes, ports, inputs, expressions, a cycle: each at its line, the misspelt ones with the right name."""
    file = cli.write("wrong.yaml", MISTAKES)

    done = cli("run", file)

    assert {
        (5, "UnknownField", "spec.timout"),
        (9, "ScriptTemplate", "spec.nodes[0].run.sh"),
        (10, "WrongType", "spec.nodes[0].retry.maxAttempts"),
        (10, "UnknownValue", "spec.nodes[0].retry.backoff"),
        (12, "UnknownNode", "spec.nodes[1].after[0]"),
        (13, "UnknownProperty", "spec.nodes[1].if"),
        (15, "UnknownPort", "spec.nodes[2].after[0]"),
        (16, "UnknownField", "spec.nodes[2].wiht"),
        (17, "ExpressionInvalid", "spec.nodes[2].set.a"),
        (23, "BadDuration", "spec.nodes[4].timeout"),
    } <= set(findings(done, file))
    assert any(reason == "Cycle" for _, reason, _ in findings(done, file))
    for hint in ("timeout?", "exponential", "fetch", "order", "true", "with?"):
        assert (
            f"did you mean {hint}" in done.stderr
            or f"did you mean '{hint}'" in done.stderr
            or (f"perhaps {hint}" in done.stderr)
        ), hint
    assert not cli.store.exists()


# ------------------------------------------------------------------------------------------------------------------ cases
def test_a_wrong_file_of_cases_is_told_with_the_names_that_were_meant(cli):
    """Unknown fields of a case, of a result, of what is expected; times; two results in one."""
    file = cli.workflow(sh("fetch"))
    cases = cli.write(
        "cases.yaml",
        "cases:\n- nme: a\n  nodes: {fetch: {output: {}}}\n  expect: {phse: Failed}\n"
        "- name: b\n  start: yesterday\n- name: c\n  nodes: {fetch: {fail: {}, outputs: {}}}\n",
    )

    done = cli("test", file, cases)

    assert [
        (2, "UnknownField", "cases[0].nme"),
        (3, "UnknownField", "cases[0].nodes.fetch[0].output"),
        (4, "UnknownField", "cases[0].expect.phse"),
        (6, "BadTime", "cases[1].start"),
        (8, "ExactlyOneWanted", "cases[2].nodes.fetch[0]"),
    ] == findings(done, cases)
    for name in ("name?", "outputs?", "phase?"):
        assert f"did you mean {name}" in done.stderr


def test_a_case_says_what_it_speaks_of_and_is_not_there(cli):
    """Nodes, types of events and inputs, each told once with the nearest name; a warning about the file stops nothing."""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    file = cli.workflow(sh("fetch", retry={"maxAttempts": 3}), inputs=schema)
    cases = cli.write(
        "cases.yaml",
        "cases:\n- name: nodes\n  nodes: {fetchh: {outputs: {a: no}}}\n  expect: {events: [{type: NodeFaild}]}\n"
        "- name: inputs\n  inputs: {n: x}\n",
    )

    done = cli("test", file, cases)

    assert done.returncode == 1
    assert [
        "FAILED  nodes",
        "        nodes.fetchh is no node of the workflow; did you mean fetch?",
        "        expect.events: there is no event type NodeFaild; did you mean NodeFailed?",
        "        node fetch runs and nodes.fetch gives no result; expected one",
        "FAILED  inputs",
        "        inputs.n: 'x' stands here; expected a whole number",
        "0 passed, 2 failed",
    ] == done.stdout.splitlines()
    assert " warning AmbiguousYAML: " in done.stderr
