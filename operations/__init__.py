"""The commands people run: `python -m operations --help` lists them, and the Makefile names the everyday ones."""
