"""The ``outreach`` command. It prints; everything it does, the API can do too."""

from __future__ import annotations

import sys

import click

from router.cli import err, outreach
from router.core.errors import OutreachError
from router.loop import collect_seldom


def main() -> None:
    """Run the command; what went wrong is said in one sentence, with exit status 2."""
    collect_seldom()
    try:
        outreach(standalone_mode=False)
    except OutreachError as error:
        err.print(f"outreach: {error}", style="red", highlight=False, markup=False)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)


if __name__ == "__main__":
    main()
