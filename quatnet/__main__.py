"""`python -m quatnet ...` is the command `quatnet ...`."""

from quatnet.cli import main

if __name__ == "__main__":
    main()
