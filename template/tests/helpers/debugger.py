"""
An editor's side of the Debug Adapter Protocol, as far as the tests need it: what VS Code does with a configuration of
launch.json in the container.

https://microsoft.github.io/debug-adapter-protocol/specification
"""

import itertools
import json
import queue
import shlex
import subprocess
import threading

from helpers.engine import PROGRAMS
from helpers.waiting import HANGING

RELAY = (PROGRAMS / "relay.py").read_text()


class Debugger:
    """A debugging session with everything that it starts: one Session for each process that is debugged."""

    def __init__(self, execute, configuration, breakpoints, timeout=HANGING):
        """
        *execute* makes the command line that runs a command in the container; *breakpoints* is {path: line}.
        """
        self.execute, self.breakpoints, self.timeout = execute, breakpoints, timeout
        self.configured = queue.Queue()  # a Session each, when its process knows the breakpoints
        self.stops = queue.Queue()  # (Session, body of the stopped event)
        self.sessions = []
        self.start(configuration)

    def start(self, configuration):
        if configuration["request"] == "attach":
            command = self.execute("python", "-c", RELAY, str(configuration["connect"]["port"]))
        else:
            command = self.execute("python", "-m", "debugpy.adapter")
        self.sessions.append(Session(self, command, configuration))

    def wait_for_stop(self):
        session, body = self.stops.get(timeout=self.timeout)
        return Stop(session, body)

    def resume_all(self):
        """For code that may or may not stop at an exception that nobody catches, as an editor is set by default."""
        while not self.stops.empty():
            self.wait_for_stop().resume()

    def wait_for_process(self):
        return self.configured.get(timeout=self.timeout)

    def close(self):
        for session in self.sessions:
            session.process.terminate()
            session.process.wait(self.timeout)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


class Session:
    def __init__(self, debugger, command, configuration):
        self.debugger, self.configuration = debugger, configuration
        self.numbers, self.answers = itertools.count(1), {}
        self.lock = threading.Lock()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        threading.Thread(target=self.read, daemon=True).start()
        abilities = {"supportsRunInTerminalRequest": True, "supportsStartDebuggingRequest": True,
                     "supportsArgsCanBeInterpretedByShell": True}  # fmt: skip
        self.request("initialize", adapterID="debugpy", pathFormat="path", linesStartAt1=True, **abilities)
        self.post(configuration["request"], configuration)  # answered after configurationDone

    def post(self, command, arguments):
        number = next(self.numbers)
        self.answers[number] = queue.Queue()
        self.send({"seq": number, "type": "request", "command": command, "arguments": arguments})
        return self.answers[number]

    def request(self, command, **arguments):
        answer = self.post(command, arguments).get(timeout=self.debugger.timeout)
        assert answer["success"], answer
        return answer.get("body", {})

    def send(self, message):
        data = json.dumps(message).encode()
        with self.lock:
            self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
            self.process.stdin.flush()

    def read(self):
        stdout = self.process.stdout
        while header := stdout.readline():
            length = int(header.split(b":")[1])
            stdout.readline()
            message = json.loads(stdout.read(length))
            if message["type"] == "response":
                self.answers[message["request_seq"]].put(message)
            elif message["type"] == "request":
                getattr(self, "do_" + message["command"])(message["arguments"])
                self.send({"seq": next(self.numbers), "type": "response", "success": True,
                           "command": message["command"], "request_seq": message["seq"], "body": {}})  # fmt: skip
            elif message["event"] == "initialized":
                threading.Thread(target=self.configure, daemon=True).start()
            elif message["event"] == "stopped":
                self.debugger.stops.put((self, message["body"]))
            elif message["event"] == "terminated":  # an editor lets go then
                self.process.terminate()

    def configure(self):
        for path, line in self.debugger.breakpoints.items():
            self.request("setBreakpoints", source={"path": path}, breakpoints=[{"line": line}])
        self.request("setExceptionBreakpoints", filters=["uncaught"])  # an editor's default
        self.request("configurationDone")
        self.debugger.configured.put(self)

    def do_startDebugging(self, arguments):
        configuration = arguments["configuration"] | {"request": arguments["request"]}
        threading.Thread(target=self.debugger.start, args=[configuration], daemon=True).start()

    def do_runInTerminal(self, arguments):
        # Joined unquoted, as a terminal gets what "argsCanBeInterpretedByShell" allows it to interpret.
        command = f"cd {shlex.quote(arguments['cwd'])} && exec {' '.join(arguments['args'])}"
        subprocess.Popen(self.debugger.execute("sh", "-c", command), stdout=subprocess.DEVNULL)


class Stop:
    def __init__(self, session, body):
        self.session, self.reason, self.thread = session, body["reason"], body["threadId"]
        self.frame = session.request("stackTrace", threadId=self.thread, levels=1)["stackFrames"][0]

    def variable(self, name):
        scopes = self.session.request("scopes", frameId=self.frame["id"])["scopes"]
        reference = next(scope["variablesReference"] for scope in scopes if scope["name"] == "Locals")
        variables = self.session.request("variables", variablesReference=reference)["variables"]
        return next(variable["value"] for variable in variables if variable["name"] == name)

    def resume(self):
        self.session.request("continue", threadId=self.thread)
