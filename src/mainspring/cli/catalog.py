"""Every command by name, with its line of help. No click and no code of the commands.

The help of a group is written from here, so that no command is imported to list it. The command
`runs ls` is `command` in `commands/runs_ls.py`; a name that others begin with is a group.
"""

from __future__ import annotations

from typing import Final

CATALOG: Final = {
    "init": "Write a first task file and a test for it.",
    "dev": "Run everything here: server, workers, SQLite, reload on change.",
    "server": "Run the server: API and scheduler, on SQLite or PostgreSQL.",
    "worker": "Run the tasks of this folder for a server.",
    "tasks": "See the tasks and trigger them.",
    "tasks ls": "List the registered tasks.",
    "tasks show": "Show one task: its queue, retries and payload.",
    "tasks trigger": "Trigger a run of a task.",
    "runs": "See runs and act on them.",
    "runs ls": "List runs, newest first.",
    "runs get": "Show one run with its payload and output.",
    "runs watch": "Follow a run until it ends.",
    "runs logs": "Print what a run has written.",
    "runs cancel": "Cancel runs.",
    "runs replay": "Trigger runs again with the same payload and options.",
    "runs explain": "Say why a run is not running.",
    "runs journal": "Show what a run has behind it and what it waits for.",
    "runs restart": "Trigger a new run that goes on from an entry of a journal.",
    "runs settle": "Decide how a run goes on whose code does not fit its journal.",
    "runs send": "Send a record to an input stream of a run.",
    "queues": "See queues, pause and limit them.",
    "queues ls": "List the queues with what waits and runs in them.",
    "queues pause": "Start no more runs of a queue.",
    "queues resume": "Start runs of a paused queue again.",
    "queues set": "Override the concurrency limit of a queue.",
    "schedules": "See what runs by itself and when, and change it.",
    "schedules ls": "List the schedules with their next runs.",
    "schedules create": "Let a task run by itself.",
    "schedules update": "Change when or what a schedule runs.",
    "schedules activate": "Let a schedule go on, from its next tick.",
    "schedules deactivate": "Let a schedule rest.",
    "schedules delete": "Delete a schedule; its runs stay.",
    "schedules next": "Tell the next ticks of a schedule or of an expression.",
    "schedules run": "Make a run of a schedule now.",
    "tokens": "See the tokens that runs wait for, make and complete them.",
    "tokens ls": "List tokens, newest first.",
    "tokens get": "Show one token with its output.",
    "tokens create": "Make a token and print its id and address.",
    "tokens complete": "Complete a token, so that whoever waits for it goes on.",
    "events": "Tell runs what has happened.",
    "events emit": "Emit an event to every run that waits for it.",
    "keys": "See the secret keys, make, replace and end them; on the server's machine.",
    "keys ls": "List the keys, without their text.",
    "keys create": "Make a key and print it, this once.",
    "keys rotate": "Replace a key; the old one goes on for a while.",
    "keys revoke": "End a key.",
    "people": "Say who may do what; on the server's machine.",
    "people ls": "List people with their roles.",
    "people add": "Add a person and print a personal token.",
    "people role": "Give a person another role.",
    "people token": "Make one more personal token, or end all.",
    "people rm": "Remove a person.",
    "audit": "See who did what; on the server's machine.",
    "audit ls": "List the entries of the audit log.",
    "audit verify": "Check that no entry was changed or taken away.",
    "generate": "Write code from what the server knows.",
    "generate client": "Write types of the tasks, for programs without their code.",
    "env": "Set the variables that workers get.",
    "env ls": "List the variables, without the values of secrets.",
    "env set": "Make or change variables.",
    "env unset": "Remove variables.",
    "env import": "Set the variables of a file such as .env.",
    "env pull": "Write the variables to a file such as .env.",
    "db": "Prepare and inspect the database.",
    "db migrate": "Bring the database to this release's schema.",
    "db status": "Say which schema the database has.",
    "db sql": "Print the SQL of the schema, for review.",
    "capacity": "Say what so many runs a day take of PostgreSQL and of workers.",
    "doctor": "Check that everything needed is in place.",
}


def children(path: tuple[str, ...]) -> dict[str, str]:
    """The names directly below a group (`()` is the top) with their lines of help, in order."""
    below = {tuple(name.split(" ")): text for name, text in CATALOG.items()}
    return {name[-1]: text for name, text in below.items() if name[:-1] == path}
