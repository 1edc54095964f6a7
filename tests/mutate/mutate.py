"""mutate.py BUILD [MUTANT...]: breaks one behaviour of shim/ at a time and asks the tests nearest to it. Each must notice.

The list is tests/mutate/mutants.txt. A mutant that no longer applies, or does not compile, is a fault of the list and counts as one that
survived. Two copies of the tree below BUILD/mutate are used side by side. Prints one line for each mutant, and TAP's points for tests/run."""
import os
import queue
import re
import shutil
import subprocess
import sys
import threading

TREE = ["Makefile", "include", "shim", "scripts", "tests", "README.md"]
COPIES = 2
SEED, CONVERSATIONS = "11", "400"  # enough that each mutant of the list is met
build = os.path.abspath(sys.argv[1])
chosen = sys.argv[2:]


class Mutant:
    def __init__(self, text):
        self.name, self.file, self.old, self.new, self.killers, self.about = "", "", [], [], [], ""
        for line in text.splitlines():
            word, _, rest = line.partition(" ")
            if line.startswith("-"):
                self.old.append(line[1:])
            elif line.startswith("+"):
                self.new.append(line[1:])
            elif line.startswith("# "):
                self.about += (" " if self.about else "") + line[2:]
            elif word == "kill":
                self.killers.append(rest)
            else:
                setattr(self, word, rest)

    def apply(self, text):
        """The file's text with the mutant in it; None if the old lines are not there exactly once."""
        old = "".join(line + "\n" for line in self.old)
        parts = ("\n" + text).split("\n" + old)
        if len(parts) != 2:
            return None
        return ("\n" + "".join(line + "\n" for line in self.new)).join(parts)[1:]


def make(copy, *goals):
    return subprocess.run(["make", "-s", "BUILD=build", *goals], cwd=copy, capture_output=True, text=True).returncode == 0


def run(copy, killer):
    """Runs what KILLER names. Returns the points that failed."""
    test, _, _ = killer.partition(" ")
    environment = dict(os.environ, MODEL_SEED=SEED, MODEL_CONVERSATIONS=CONVERSATIONS, TEST_TIMEOUT_S="400")
    if test == "model":
        environment["MODEL_POLICIES"] = killer.partition(" ")[2].partition(":")[0]
        test = "tests/model/model.sh"
    output = subprocess.run(["tests/run", "build", test], cwd=copy, env=environment, capture_output=True, text=True)
    failed = re.findall(r"^ *\|? *not ok \d+ - (.*)$", output.stdout, re.M)
    return failed or (["(it ended early)"] if output.returncode else [])


def goals(killers):
    tests = {killer.split(" ")[0] for killer in killers}
    programs = [test for test in tests if test.startswith("build/")]
    model = ["build/tests/model/model"] if "model" in tests else []
    return ["all", *programs, *model] + (["tests-build"] if any(test.startswith("tests/") for test in tests) else [])


def judge(copy, mutant):
    """Did every killer notice? Returns that, and what there is to say."""
    path = os.path.join(copy, mutant.file)
    with open(path) as file:
        original = file.read()
    mutated = mutant.apply(original)
    if mutated is None:
        return False, "does not apply any more"
    try:
        with open(path, "w") as file:
            file.write(mutated)
        if not make(copy, *goals(mutant.killers)):
            return False, "does not compile"
        killed = []
        for killer in mutant.killers:
            test, _, rest = killer.partition(" ")
            points = (rest.partition(": ")[2] if test == "model" else rest).split(" | ")
            failed = run(copy, killer)
            unseen = [point for point in points if not any(point in text for text in failed)]
            if unseen or not failed:
                return False, f"SURVIVED {test} {rest}: {failed[:3]}"
            killed.append(f"{test}: {failed[0]}")
        return True, "; ".join(killed)
    finally:
        with open(path, "w") as file:
            file.write(original)


def copy_tree(number):
    copy = os.path.join(build, "mutate", str(number))
    shutil.rmtree(copy, ignore_errors=True)
    os.makedirs(copy)
    for name in TREE:
        (shutil.copytree if os.path.isdir(name) else shutil.copy2)(name, os.path.join(copy, name))
    if not make(copy, "all", "tests-build", "build/tests/model/model"):
        sys.exit("the copy does not build")
    return copy


with open("tests/mutate/mutants.txt") as file:
    mutants = [Mutant(part) for part in file.read().split("\n\n") if "\nname " in "\n" + part]
if chosen:
    mutants = [mutant for mutant in mutants if mutant.name in chosen]
points, failing = [], []


def point(good, text):
    points.append(good)
    print(f"{'ok' if good else 'not ok'} {len(points)} - {text}", flush=True)


def check(copy, killer):
    if run(copy, killer):
        failing.append(killer)


def try_out(copy, mutant):
    killed, words = judge(copy, mutant)
    with lock:
        point(killed, f"{mutant.name} ({mutant.about}): {words}")


def side_by_side(function, items):
    """Calls FUNCTION for each item, with a copy of the tree of its own."""

    def work(copy):
        while True:
            try:
                item = waiting.get_nowait()
            except queue.Empty:
                return
            function(copy, item)

    waiting = queue.Queue()
    for item in items:
        waiting.put(item)
    threads = [threading.Thread(target=work, args=(copy,)) for copy in copies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


copies, lock = [copy_tree(number) for number in range(COPIES)], threading.Lock()
killers = sorted({killer.partition(":" if killer.startswith("model") else " ")[0] for mutant in mutants for killer in mutant.killers})
side_by_side(check, killers)
point(not failing, f"the tests pass on the tree as it is: {', '.join(failing) or 'all of ' + str(len(killers))}")
side_by_side(try_out, mutants)
print(f"1..{len(points)}")
print(f"# {sum(points[1:])} of {len(mutants)} mutants were noticed")
sys.exit(not all(points))
