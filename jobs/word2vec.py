"""spark-submit jobs/word2vec.py --config word2vec.toml --set input.path=… --set output.path=…"""

import sys

from w2vspark.cli.command_line import run_job

if __name__ == "__main__":
    sys.exit(run_job())
