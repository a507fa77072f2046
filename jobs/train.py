"""`spark-submit jobs/train.py CONFIG --set input.path=… --set output.path=…` runs `w2vspark run …`."""

import sys

from w2vspark.cli.command_line import main

if __name__ == "__main__":
    sys.exit(main(["run", *sys.argv[1:]]))
