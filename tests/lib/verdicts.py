"""verdicts.py MODULE...: runs the tests of these modules (unittest) and prints a line for each: its name and ok, skipped, failed or error.
Tests that need the Internet or much time are left out, as the suites themselves do by default."""
import os
import sys
import unittest


class Verdicts(unittest.TestResult):
    verdicts = {}

    def note(self, test, verdict):
        if self.verdicts.get(test.id(), "ok") == "ok":
            self.verdicts[test.id()] = verdict

    def addSuccess(self, test):
        self.note(test, "ok")

    def addSkip(self, test, reason):
        self.note(test, "skipped")

    def addFailure(self, test, error):
        self.note(test, "failed")

    def addError(self, test, error):
        self.note(test, "error")

    def addExpectedFailure(self, test, error):
        self.note(test, "ok")

    def addUnexpectedSuccess(self, test):
        self.note(test, "failed")

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.note(test, "failed")


try:
    from test import support

    support.use_resources = []
    support.verbose = False
except ImportError:
    pass
result = Verdicts()
out = os.fdopen(os.dup(1), "w")
silence = os.open(os.devnull, os.O_WRONLY)
os.dup2(silence, 1)
os.dup2(silence, 2)
unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:]).run(result)
for name, verdict in sorted(result.verdicts.items()):
    print(name, verdict, file=out)
out.close()
os._exit(0)
