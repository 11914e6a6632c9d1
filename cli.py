"""`python cli.py ...` from a checkout is the command `quatnet ...`."""

from quatnet.cli import main

if __name__ == "__main__":
    main(prog_name="python cli.py")
