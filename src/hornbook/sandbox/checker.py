"""Runs inside the sandbox: forks a program with its tests, and alone holds the verdict's pipe.

Arguments: the folder with program.py and tests.py, the seconds, the number of processes, the
descriptor of the pipe. The program's process never has that descriptor. It proves that it came to
the end of its tests by a token that it can read only then; a program which ends before, by any
means, has no token. A program that searches its own process for the token's descriptor could still
find it: what runs in one process with its tests cannot be kept from them.
"""

import os
import random
import resource
import signal
import sys


def child(folder: str, gate: int, done: int) -> None:
    """The program, then its tests in the same names, then the token from gate to done."""
    with open(f"{folder}/program.py", encoding="utf-8") as file:
        program = compile(file.read(), "program.py", "exec")
    with open(f"{folder}/tests.py", encoding="utf-8") as file:
        tests = compile(file.read(), "tests.py", "exec")
    read, write, names = os.read, os.write, {"__name__": "__program__"}
    exec(program, names)
    exec(tests, names)
    write(done, read(gate, 64))


def main() -> None:
    """Fork, wait, report."""
    folder, seconds, processes = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    pipe = int(sys.argv[4])
    gate_out, gate_in = os.pipe()
    reading, writing = os.pipe()
    token = f"{random.SystemRandom().getrandbits(128):032x}"
    os.write(gate_in, token.encode())
    os.close(gate_in)
    pid = os.fork()
    if pid == 0:
        os.close(pipe)
        os.close(reading)
        resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))
        sys.argv[:] = ["program.py"]
        try:
            child(folder, gate_out, writing)
        except BaseException as error:
            print(type(error).__name__, str(error)[:150])
        finally:
            sys.stdout.flush()
            os._exit(0)
    os.close(writing)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    _, status = os.waitpid(pid, 0)
    os.set_blocking(reading, False)  # a grandchild may still hold the other end
    try:
        told = os.read(reading, 64).decode("ascii", "replace")
    except BlockingIOError:
        told = ""
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) in {signal.SIGKILL, signal.SIGXCPU}
    verdict = "passed" if told == token else "timeout" if killed else "failed"
    os.write(pipe, verdict.encode())
    os._exit(0)  # as the first process of the namespace this ends every other one in it


main()
