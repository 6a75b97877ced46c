"""``make docs``: dbt's documentation of the last night's build, generated and served on loopback until Ctrl-C."""

from __future__ import annotations

import os
import subprocess
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from include.local_stack.ports import LOOPBACK
from include.settings import Settings
from include.terminal.dbt_dev import dbt_command, developer_environment

# All that the page asks for. The folder has compiled SQL and results of tests besides.
PAGES = frozenset({"/", "/index.html", "/manifest.json", "/catalog.json"})


def serve_docs() -> int:
    """Generate and serve. Returns dbt's exit code where it cannot generate."""
    settings = Settings.from_environment(os.environ)
    environment = developer_environment(settings, target="nightly", folder="docs")
    print("reading every model and its columns, about half a minute", flush=True)
    made = subprocess.run(dbt_command(["docs", "generate", "--quiet"], settings), env=environment, check=False)
    if made.returncode != 0:
        return made.returncode
    with docs_server(Path(environment["DBT_TARGET_PATH"])) as server:
        print(f"dbt's documentation: http://{LOOPBACK}:{server.server_port} (Ctrl-C ends it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("\nended")
    return 0


def docs_server(folder: Path) -> ThreadingHTTPServer:
    """A server of a folder's documentation on a free loopback port."""
    return ThreadingHTTPServer((LOOPBACK, 0), partial(_Pages, directory=str(folder)))


class _Pages(SimpleHTTPRequestHandler):
    """The pages and nothing else, without a line on the terminal for each."""

    def send_head(self):
        if self.path.partition("?")[0] not in PAGES:
            self.send_error(404)
            return None
        return super().send_head()

    def log_message(self, *arguments: object) -> None:
        """Say nothing: a browser asks for more than there is, and the person sees the page."""
