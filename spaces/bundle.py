"""Make a folder of a Space that runs alone: python spaces/bundle.py iris build/spaces/iris.

What goes into it, and why, is in functions/_deploy/bundle.py; `almanac deploy spaces` uploads the same files.
"""

import sys

from functions._deploy.bundle import main

if __name__ == "__main__":
    sys.exit(main())
