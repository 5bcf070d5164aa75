"""Starts programs in turn, each so often, and prints their median milliseconds from start to end, and megabytes at most in memory, as JSON.
    start.py ROUNDS '[["program", "argument"], ...]'"""
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

# What Linux counts for a process includes this one's memory, of which it is a copy at first: GNU time is small.
measure = shutil.which("time") or sys.exit("GNU time is needed to measure memory; on Debian or Ubuntu: apt install time")
commands = json.loads(sys.argv[2])
silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
times = [[] for _ in commands]
memory = [[] for _ in commands]
for _ in range(int(sys.argv[1])):
    for i, command in enumerate(commands):
        begin = time.perf_counter()
        _, status = os.waitpid(os.posix_spawn(command[0], command, os.environ, file_actions=silent), 0)
        times[i].append(1000 * (time.perf_counter() - begin))
        measured = subprocess.run([measure, "-f", "%M", *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
        memory[i].append(int(measured.stderr.split()[-1]) / 1024)
        if status:
            sys.exit(f"{command[0]} failed.")
print(json.dumps([{"milliseconds": statistics.median(t), "megabytes": statistics.median(m)} for t, m in zip(times, memory)]))
