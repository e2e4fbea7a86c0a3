"""An app with 10,000 people is brought over while they use it: `python -m benchmarks.online`.

In the documented steps: watch, import, verify, on, and undo in the end. Says what people were told
meanwhile, and fails where somebody was refused who should not be, or met an error.
"""

from __future__ import annotations

import click

from tests.backends import BACKENDS
from tests.extension.guarded import guarded_url, make_guarded
from tests.extension.online import FINE, Online, real_names

DATABASES = {backend.name: backend for backend in BACKENDS}


@click.command()
@click.option("--people", default=10_000, show_default=True)
@click.option("--batch", default=500, show_default=True)
@click.option("--databases", default=",".join(DATABASES), show_default=True)
def main(people: int, batch: int, databases: str) -> None:
    """Bring an app over on each database, under load."""
    for name in databases.split(","):
        backend = DATABASES[name]
        url = guarded_url(backend)
        ways = [make_guarded(backend, url, DIBS_ADOPT=way) for way in ("watch", "on")]
        online = Online(*ways, real_names(people), batch)
        online.bring_over()
        for step, told in online.told.items():
            said = ", ".join(f"{number:,} {what}" for what, number in told.most_common())
            click.echo(f"{name} {step}: {online.took[step]:.1f} s; people were told {said}")
        backend.close()
        if wrong := [one for told in online.told.values() for one in told if one not in FINE]:
            raise click.ClickException("; ".join(wrong[:3]))


if __name__ == "__main__":
    main()
