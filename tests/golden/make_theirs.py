# SPDX-License-Identifier: Apache-2.0
"""make_theirs.py: asks transformers, tokenizers and torch all that tests ask, and records it in `theirs/`.

    python tests/golden/make_theirs.py              # records
    python tests/golden/make_theirs.py --compare    # asks, and fails if they say otherwise than recorded
    python tests/golden/make_theirs.py FILE...      # records what these files of tests ask

Needs the extra `live`. The questions are those of the tests marked `live`
(tests/support/theirs.py); models have random weights that numpy draws from seeds that stand in the
tests. Each file names the versions of the packages that made it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def main() -> int:
    """Runs the tests in the mode that is wanted."""
    compare = sys.argv[1:2] == ["--compare"]
    files = sys.argv[1 + compare :]
    if not compare and not files:
        shutil.rmtree(ROOT / "tests" / "golden" / "theirs", ignore_errors=True)
    tests = [sys.executable, "-m", "pytest", "-q", "-ra", "-m", "live", "-W", "default"]
    environment = {
        **os.environ,
        "FLASHLM_REQUIRE_LIVE": "1",
        "FLASHLM_THEIRS": "compare" if compare else "write",
    }
    return subprocess.run([*tests, *files], cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
