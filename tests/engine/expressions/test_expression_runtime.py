"""What was learnt about cel-expr-python and is relied on, so that another version that differs is seen here first."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cel_expr_python import cel  # type: ignore[import-untyped]

import fairlead.engine.expressions as package
from fairlead.engine.expressions import compile_expression, runtime


def environment(**impls: tuple[Any, Callable[[Any], Any]]) -> Any:
    """A plain environment with functions of one parameter: name=(kind, implementation)."""
    functions = [
        cel.FunctionDecl(
            name,
            [cel.Overload(f"{name}_one", return_type=cel.Type.DYN, parameters=[kind], impl=implementation)],
        )
        for name, (kind, implementation) in impls.items()
    ]
    return cel.NewEnv(variables={"x": cel.Type.DYN}, functions=functions)


def run(env: Any, source: str, **data: object) -> Any:
    return env.compile(source).eval(data=data).plain_value()


def test_a_parameter_of_any_kind_matches_nothing():
    """Why every function of ours is declared once per kind."""
    assert "No matching overloads" in str(run(environment(f=(cel.Type.DYN, lambda _: 1)), "f(1)"))
    assert run(environment(f=(cel.Type.INT, lambda _: 1)), "f(1)") == 1


def test_an_error_looks_like_a_string():
    """Why the type of each string is asked for."""
    result = environment().compile("1 / x").eval(data={"x": 0})

    assert (result.type(), type(result.plain_value())) == (cel.Type.ERROR, str)


def test_a_time_cannot_come_back_from_a_function():
    """Why our functions give JSON alone."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)

    with pytest.raises(RuntimeError, match="Non-CEL value type"):
        run(environment(f=(cel.Type.INT, lambda _: moment)), "f(1)")


def test_text_is_cut_at_nul():
    """Why values with NUL are refused."""
    assert run(environment(), "size(x)", x="a\x00b") == 1


def test_a_failed_condition_spares_its_branches():
    """Why a guard before `?` keeps the work behind it from being done."""
    called: list[int] = []

    def refuse(_: int) -> bool:
        raise ValueError("no")

    def note(value: int) -> bool:
        called.append(value)
        return True

    env = environment(f=(cel.Type.INT, refuse), g=(cel.Type.INT, note))

    assert "no" in str(run(env, "[1].map(i, f(1) ? g(2) : g(3))"))
    assert called == []
    assert run(env, "f(1) || g(4)") is True
    assert called == [4]


def test_an_optional_value_within_a_list_breaks_a_function():
    """Why optional values are refused when an expression is compiled, though the checker lets them pass."""
    source = (
        "from cel_expr_python import cel\n"
        "from cel_expr_python.ext import ext_optional\n"
        "f = cel.FunctionDecl('f', [cel.Overload('f1', return_type=cel.Type.DYN, parameters=[cel.Type.LIST], impl=len)])\n"
        "env = cel.NewEnv(extensions=[ext_optional.ExtOptional()], functions=[f])\n"
        "print(env.compile('f([optional.of(1)])').eval(data={}).plain_value())\n"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)

    assert done.stdout.strip() != "1"


def test_importing_the_package_does_not_import_the_runtime():
    """CEL takes 40 ms to import, which commands that evaluate nothing do not pay."""
    source = (
        "import sys, fairlead.engine.expressions as x, fairlead.engine.expressions.checks\n"
        "assert not any(name.startswith('cel_expr_python') for name in sys.modules)\n"
        "assert 'importlib.metadata' not in sys.modules or 'email' not in sys.modules\n"
        "x.compile_expression('1')\n"
        "assert 'cel_expr_python' in sys.modules\n"
    )
    env = {"PYTHONPATH": ":".join(sys.path)}

    subprocess.run([sys.executable, "-S", "-c", source], check=True, env=env)


def test_the_runtime_says_its_version():
    """What is written into each log is the installed version."""
    assert package.RUNTIME_VERSION == runtime.version()
    assert package.RUNTIME_VERSION.startswith("cel-expr-python 0.")
    with pytest.raises(AttributeError):
        _ = package.NOTHING


def test_an_interrupt_within_a_function_is_no_cel_error(monkeypatch):
    """Ctrl-C while one of our functions runs ends the evaluation as an interrupt, not as an ExpressionError."""

    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("fairlead.engine.expressions.budget.weight", interrupted)

    for source in ("inputs.xs.sum() + 1", "inputs.xs.sum() == 1 || true"):
        with pytest.raises(KeyboardInterrupt):
            compile_expression(source).evaluate({"inputs": {"xs": [1]}})
