"""The package as a whole: one version, and an import that costs nothing."""

import subprocess
import sys
from importlib.metadata import version

import vrnn


def test_the_installed_version_is_the_attribute():
    assert version("vrnn") == vrnn.__version__


def test_importing_loads_the_standard_library_alone():
    code = (
        "import sys; before = set(sys.modules); import vrnn; vrnn.__version__; "
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(*sorted(new - sys.stdlib_module_names - {'vrnn'}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == []
