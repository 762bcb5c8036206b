"""`python -m wxbot`, the same as the command `wxbot`."""

import sys

from wxbot.command import main

sys.exit(main())
