"""One file a command, named as it is called: `runs_ls.py` is `mainspring runs ls`."""
