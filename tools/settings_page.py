"""The page of settings, written from the settings themselves. Part of `./dev docs`."""

import json

from mainspring.settings.values import every_setting


def settings_page(notice: str) -> str:
    """Every setting with its default, variable and flag, and which place wins."""
    rows = [
        notice,
        "",
        "# Settings",
        "",
        "A flag wins over the environment, that over the project's file, that over your own file,",
        "that over the default. The project's file is `mainspring.toml`, or `[tool.mainspring]` in",
        "`pyproject.toml`, in this folder or the nearest one above; your own is",
        "`~/.config/mainspring/config.toml`. In the environment, lists have commas. An unknown",
        "name is an error that says its line and the nearest one. `mainspring config show` says of",
        "each value where it comes from.",
        "",
        "| Setting | Default | Environment | Meaning |",
        "|---|---|---|---|",
    ]
    for setting in every_setting():
        default = json.dumps(setting.default)
        rows.append(f"| `{setting.name}` | `{default}` | `{setting.variable}` | {setting.words} |")
    return "\n".join(rows) + "\n"
