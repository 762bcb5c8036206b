"""`python -m wxbot`, equivalent to the command `wxbot`."""

import sys

from wxbot.command import main

sys.exit(main())
