"""at_once.py COUNT COMMAND...: COUNT processes wait for each other, then all execute COMMAND at once. Ends with 1 if one of them fails."""
import os
import sys

count, command = int(sys.argv[1]), sys.argv[2:]
gate, opener = os.pipe()
pids = []
for _ in range(count):
    pid = os.fork()
    if pid == 0:
        os.close(opener)
        os.read(gate, 1)
        os.execvp(command[0], command)
    pids.append(pid)
os.close(gate)
os.close(opener)
sys.exit(any(os.waitpid(pid, 0)[1] for pid in pids))
