"""`mainspring completion`: commands and options completed by the shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from mainspring.cli.main import root

_SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(_SHELLS))
def command(shell: str) -> None:
    """Print what makes a shell complete commands and options with the Tab key.

    bash: mainspring completion bash >> ~/.bashrc

    zsh: mainspring completion zsh >> ~/.zshrc

    fish: mainspring completion fish > ~/.config/fish/completions/mainspring.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click knows these shells"
    found = kind(root, {}, "mainspring", "_MAINSPRING_COMPLETE")
    click.echo(found.source_template % found.source_vars(), nl=False)
