"""`python -m reports RUN`: the report of a run; `compare`, `summary`, `index` and `live` beside it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from experiments.errors import UserError
from experiments.run_folder.named_run import require_cells
from loadtests.slo import SLO
from reports.errors import NotARunError

# A process holds up to 0.5 GB.
MOST_PROCESSES = 4

EXAMPLES = """examples:
  %(prog)s runs/latest                   write runs/latest/report.html, its data beside it
  %(prog)s runs/latest -o report.html    the same elsewhere
  %(prog)s runs/latest --slo 'ttft<=2s,attainment>=0.9'     judged by another objective
  %(prog)s compare runs/a runs/b         Markdown on the standard output, for a pull request
  %(prog)s compare runs/a runs/b -o c.html     the same as a page
  %(prog)s summary runs/latest           one run as Markdown
  %(prog)s index runs/                   write runs/index.html, a page over all runs
  %(prog)s live runs/live-1a2b3c4d       write live.html of a comparison by headroom compare --live
"""


def main(argv: Sequence[str] | None = None, prog: str = "python -m reports") -> int:
    """Run one command, which help calls `prog`; 0 when it wrote what was asked, 1 when a file could not be
    written, 2 when the user was wrong.
    """
    given = sys.argv[1:] if argv is None else argv
    commands = {"compare": _compare, "summary": _summary, "index": _index, "live": _live}
    name = given[0] if given and given[0] in commands else ""
    try:
        return commands[name](given[1:], f"{prog} {name}") if name else _report(given, prog)
    except NotARunError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"Cannot write {error.filename or 'the output'}: {error.strerror}.", file=sys.stderr)
        return 1


def _report(argv: Sequence[str], prog: str) -> int:
    parser = _parser(prog, "Make the HTML report of a run folder, one self-contained file.", epilog=EXAMPLES)
    parser.add_argument(
        "run", metavar="RUN", help="the folder of a run; or one of: compare, summary, index, live"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE",
        help="the HTML file (default RUN/report.html, with --slo RUN/report-slo.html)",
    )  # fmt: skip
    parser.add_argument("--slo", help="judge by this objective, from the records, instead of the run's own")
    parser.add_argument(
        "--no-data", action="store_true", help="do not write the CSV and Parquet files beside it"
    )
    options = parser.parse_args(argv)
    slo = _slo(options.slo)
    _require_run(options.run)
    # Only here, as below: a help or a wrong flag should not cost the import of what draws.
    from reports import export, page
    from reports.judged import judged
    from reports.run import load

    run = load(options.run) if slo is None else judged(load(options.run), slo)
    name = "report.html" if slo is None else "report-slo.html"
    target = Path(options.output) if options.output else run.path / name
    _write(target, page.render(run, processes=min(os.cpu_count() or 1, MOST_PROCESSES)))
    if not options.no_data:
        export.write(run, target.with_name(f"{target.stem}-data"))
    for problem in run.problems:
        print(f"note: {problem}", file=sys.stderr)
    print(target)
    return 0


def _slo(text: str | None) -> SLO | None:
    """Raises NotARunError for an objective that cannot be read."""
    try:
        return None if text is None else SLO.parse(text)
    except ValueError as error:
        raise NotARunError(str(error)) from None


def _require_run(folder: str) -> None:
    """Raises NotARunError for a path that cannot be a run."""
    try:
        require_cells(Path(folder))
    except UserError as error:
        raise NotARunError(str(error)) from None


def _compare(argv: Sequence[str], prog: str) -> int:
    parser = _parser(
        prog, "Compare two runs, cell by cell on the same arrivals, as `python -m experiments.compare`."
    )
    parser.add_argument("a", metavar="A", type=Path, help="the folder of the baseline")
    parser.add_argument("b", metavar="B", type=Path, help="the folder of the run to compare with it")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write a page (.html) or Markdown (any other name)"
    )
    options = parser.parse_args(argv)
    for folder in (options.a, options.b):
        _require_run(folder)
    from experiments.decide import comparison_text
    from reports import compare

    comparison = compare.compare(options.a, options.b)
    return _give(options.output, lambda: compare.page(comparison), comparison_text.markdown(comparison))


def _summary(argv: Sequence[str], prog: str) -> int:
    parser = _parser(prog, "One run as Markdown, for a pull request.")
    parser.add_argument("run", metavar="RUN", help="the folder of a run")
    parser.add_argument("-o", "--output", metavar="FILE", help="a file (default: the standard output)")
    options = parser.parse_args(argv)
    _require_run(options.run)
    from reports import markdown
    from reports.run import load

    return _give(options.output, None, markdown.summary(load(options.run)))


def _index(argv: Sequence[str], prog: str) -> int:
    parser = _parser(prog, "A page over all runs in a folder.")
    parser.add_argument(
        "runs", metavar="RUNS", nargs="?", default="runs", help="the folder of the runs (default runs)"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="the HTML file (default RUNS/index.html)")
    options = parser.parse_args(argv)
    folder = Path(options.runs)
    if not folder.is_dir():
        raise NotARunError(f"{folder} is not a folder: give the folder that holds the runs.")
    from reports import index

    target = Path(options.output) if options.output else folder / "index.html"
    _write(target, index.page(folder, target.parent))
    print(target)
    return 0


def _live(argv: Sequence[str], prog: str) -> int:
    parser = _parser(prog, "The page of a comparison by `headroom compare --live`, as far as it is.")
    parser.add_argument("folder", metavar="DIR", type=Path, help="the folder of the comparison")
    parser.add_argument("-o", "--output", metavar="FILE", help="the HTML file (default DIR/live.html)")
    options = parser.parse_args(argv)
    from reports import live

    target = Path(options.output) if options.output else options.folder / "live.html"
    _write(target, live.page(live.load(options.folder)))
    print(target)
    return 0


def _parser(prog: str, description: str, epilog: str | None = None) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _give(output: str | None, page_of: Callable[[], str] | None, text: str) -> int:
    """Print the text, or write it; as a page where there is one and the file's name asks for it."""
    if output is None:
        print(text, end="")
        return 0
    if page_of is not None and output.endswith((".html", ".htm")):
        text = page_of()
    _write(Path(output), text)
    print(output)
    return 0


def _write(target: Path, text: str) -> None:
    """Write to a temporary name and rename, so that a half-written report is never seen."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
