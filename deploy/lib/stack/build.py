"""Building Trunkline and fetching the tools that come from npm."""
import filecmp
import os
import shutil

from .java import ROOT


def compile_preset(preset, progress, options=()):
    """Configure and build build/<preset>; `options` go to ninja. Returns its bin folder."""
    folder = f"{ROOT}/build/{preset}"
    log = f"{folder}.log"
    if os.path.exists(log):
        os.unlink(log)
    progress.run(f"build {preset}", ["cmake", "--preset", preset, "-S", ROOT], log)
    progress.run(f"build {preset}", ["ninja", "-C", folder, *options], log)
    return f"{folder}/bin"


def npm_install(source, name, progress):
    """The packages of source/package.json and its lock, in build/<name>; nothing is done when they
    are there already. Returns the folder of node_modules."""
    folder = f"{ROOT}/build/{name}"
    lock, done = f"{source}/package-lock.json", f"{folder}/installed.json"
    if not (os.path.exists(done) and filecmp.cmp(lock, done, shallow=False)):
        os.makedirs(folder, exist_ok=True)
        for file in ("package.json", "package-lock.json"):
            shutil.copyfile(f"{source}/{file}", f"{folder}/{file}")
        progress.run("npm", ["npm", "ci", "--no-audit", "--no-fund"], f"{folder}.log", cwd=folder)
        shutil.copyfile(lock, done)
    return f"{folder}/node_modules"


def dbmate(progress):
    """Path of the migration tool."""
    return f"{npm_install(f'{ROOT}/deploy/node', 'node-deploy', progress)}/.bin/dbmate"
