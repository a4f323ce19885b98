"""What `mainspring init` writes: one module a template, with its files and the next step."""
