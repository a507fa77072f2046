"""python -m w2vspark.cli: the command line."""

import sys

from w2vspark.cli.command_line import main

sys.exit(main())
