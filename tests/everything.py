"""`make test`: the style, the types, the floors of the house, then every test. Stops at the first that fails."""

from __future__ import annotations

import subprocess
import sys
import time

LINT = [
    ("format", ["ruff", "format", "--check", "--quiet", "."]),
    ("style", ["ruff", "check", "--quiet", "."]),
    ("types", ["mypy", "--no-error-summary"]),
    ("floors", ["lint-imports", "--no-cache"]),
]
TESTS = ("tests", ["pytest", "-n", "2", "--dist", "loadfile", "-q", "--durations=5"])


def main() -> int:
    """Run each check in order and return the first exit code that is not 0."""
    checks = LINT if "--lint" in sys.argv else [*LINT, TESTS]
    for name, command in checks:
        print(f"--- {name}: {' '.join(command)}", flush=True)  # noqa: T201
        began = time.perf_counter()
        program = command if command[0] == "lint-imports" else [sys.executable, "-m", *command]
        code = subprocess.run(program, check=False).returncode
        if code:
            print(f"--- {name} failed", flush=True)  # noqa: T201
            return code
        if name != "tests":
            print(f"    ok, {time.perf_counter() - began:.1f} s", flush=True)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
