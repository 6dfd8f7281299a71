"""``python -m hccresist`` is ``hccresist``."""

import sys

from hccresist.cli import main

if __name__ == "__main__":
    sys.exit(main())
