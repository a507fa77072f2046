"""`spark-submit jobs/job.py NAME MODEL --set input.path=… --set output.path=…` runs `w2vspark NAME MODEL …`."""

import sys

from w2vspark.cli.command_line import main

if __name__ == "__main__":
    sys.exit(main())
