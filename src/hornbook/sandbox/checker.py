"""Runs inside the sandbox: forks a program with its tests, and alone holds the verdict's pipe.

Arguments: the folder with program.py and tests.py, the seconds, the descriptor of the pipe.
"""

import os
import pathlib
import random
import signal
import sys


def child(folder: str, secret: str, done: int) -> None:
    """The program, then its tests, then the secret; the secret is not in reach of the program.

    The program runs in a namespace without this module's frames, and the secret is written by a
    function that holds it in a closure created after the program has run.
    """
    with pathlib.Path(f"{folder}/program.py").open(encoding="utf-8") as file:
        program = compile(file.read(), "program.py", "exec")
    with pathlib.Path(f"{folder}/tests.py").open(encoding="utf-8") as file:
        tests = compile(file.read(), "tests.py", "exec")
    names = {"__name__": "__program__"}
    exec(program, names)
    exec(tests, names)
    os.write(done, secret.encode())


def main() -> None:
    """Fork, wait, report."""
    folder, seconds, pipe = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    os.set_inheritable(pipe, False)
    reading, writing = os.pipe()
    secret = f"{random.SystemRandom().getrandbits(128):032x}"
    pid = os.fork()
    if pid == 0:
        os.close(pipe)
        os.close(reading)
        sys.argv[:] = ["program.py"]
        try:
            child(folder, secret, writing)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the program failed
            print(type(error).__name__, str(error)[:150])
        finally:
            sys.stdout.flush()
            os._exit(0)
    os.close(writing)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    _, status = os.waitpid(pid, 0)
    told = os.read(reading, 64).decode("ascii", "replace")
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) in {signal.SIGKILL, signal.SIGXCPU}
    verdict = "passed" if told == secret else "timeout" if killed else "failed"
    os.write(pipe, verdict.encode())


main()
