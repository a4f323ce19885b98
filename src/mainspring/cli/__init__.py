"""The `mainspring` command: it prints and exits. Decisions are the server's or `app`'s."""
