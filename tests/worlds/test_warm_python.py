"""A fork of the interpreter that has imported everything is to a test what a fresh interpreter would be."""

from __future__ import annotations

import os

import rsforge
from tests.worlds import warm_python


def run(code: str, **options):
    done = warm_python.run(["-c", code, "a word"], **options)
    return done.returncode, done.stdout, done.stderr.splitlines()[-1:]


def test_a_fork_ends_and_speaks_as_a_fresh_interpreter_does():
    assert run("import sys; print(sys.argv); sys.exit(4)") == (4, "['-c', 'a word']\n", [])
    assert run("import atexit; atexit.register(print, 'bye')") == (0, "bye\n", [])
    assert run("1 / 0") == (1, "", ["ZeroDivisionError: division by zero"])
    assert run("import os; os.kill(os.getpid(), 2)")[0] == -2
    assert run("import time; time.sleep(60)", timeout=0.1) == (-9, "", [])


def test_a_fork_has_the_environment_that_is_given_and_the_source_of_the_test():
    told = run("import os, rsforge; print(*os.environ.items(), rsforge.__file__)", env={"A": "b"})
    assert told == (0, f"('A', 'b') {rsforge.__file__}\n", [])
    assert run("import os; print(os.getpid() == os.getsid(0))", env=dict(os.environ)) == (0, "True\n", [])
