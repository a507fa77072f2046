"""spark-submit jobs/fold.py RUN --set input.path=… --set output.path=…"""

import sys

from w2vspark.cli.command_line import fold_job

if __name__ == "__main__":
    sys.exit(fold_job())
