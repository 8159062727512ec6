"""The command `lastclick`, also as ``python -m lastclick``: says so where its extra is missing."""

import sys


def main() -> None:
    """Run the command line of `lastclick.cli`."""
    try:
        import rich  # noqa: F401 - is it there?
        import typer  # noqa: F401
    except ModuleNotFoundError:
        sentence = "the command line needs the extra 'cli': pip install 'lastclick[cli]'"
        print(f"lastclick: {sentence}", file=sys.stderr)  # noqa: T201 - all that there is to do
        sys.exit(2)
    from lastclick.cli import app

    app(prog_name="lastclick")


if __name__ == "__main__":
    main()
