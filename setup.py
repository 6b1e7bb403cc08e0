"""What makes Rotonda fast is optional: without a compiler, or without Cython or lark, everything works, more slowly."""

from __future__ import annotations

import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "daemons"))

try:
    from Cython.Build import cythonize
except ImportError:
    extensions = []
else:
    extensions = cythonize([f"daemons/rotonda/{room}/_bulk.py" for room in ("bgp", "filters", "rpki")])
    for extension in extensions:
        extension.optional = True  # set here, as cythonize drops the flag


def write_tables(folder: Path) -> None:
    """Write what the grammar of the block language is compiled to, beside it."""
    try:
        from rotonda.blocks.grammar import derived_module

        text = derived_module()
    except ImportError as missing:
        print(f"the grammar is compiled when it is needed, as {missing.name} is missing", file=sys.stderr)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "_tables.py").write_text(text, encoding="utf-8")


class BuildPython(build_py):
    """Derives what goes into a wheel."""

    def run(self) -> None:
        """Copy the modules, and add the derived one."""
        super().run()
        inside = "daemons" if self.editable_mode else self.build_lib
        write_tables(HERE / inside / "rotonda" / "blocks")


class BuildExtensions(build_ext):
    """Derives what a checkout has beside its sources, with the compiled loops."""

    def run(self) -> None:
        """Compile, if there is something to compile."""
        if self.inplace:
            write_tables(HERE / "daemons" / "rotonda" / "blocks")
        super().run()


setup(ext_modules=extensions, cmdclass={"build_py": BuildPython, "build_ext": BuildExtensions})
