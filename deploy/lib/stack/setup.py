"""What must stand on the servers before a service starts: tables, topics, schemas, a business."""
import os
import subprocess

from .java import ROOT
from .services import DEMO


def command(argv, env):
    """Run it; its output is shown only when it fails."""
    run = subprocess.run([str(a) for a in argv], env={**os.environ, **env}, cwd=ROOT,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True)
    if run.returncode != 0:
        raise RuntimeError(f"{os.path.basename(argv[0])} {' '.join(argv[1:])} failed "
                           f"({run.returncode}):\n{run.stdout}")


def migrate(dbmate, database_url, *words):
    """Bring the tables up to date, or do what `words` say."""
    command([dbmate, "--url", database_url, "--migrations-dir", f"{ROOT}/migrations",
             "--no-dump-schema", *(words or ["up"])], {})


def topics(bin_folder, env):
    """Topics, schemas and the demonstration business; changes nothing that is right already."""
    trunkline = f"{bin_folder}/trunkline"
    command([trunkline, "topics", "create"], env)
    command([trunkline, "schemas", "register"], env)
    command([trunkline, "config", "apply", DEMO], env)
