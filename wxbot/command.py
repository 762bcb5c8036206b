"""The command `wxbot`, whose subcommands run the program's command lines.

In a source tree the program's modules (bot, api, config, …) are beside this package. The wheel has them in
wxbot/program, to avoid conflicts with other packages, and they are added to sys.path here.
"""

from __future__ import annotations

import os
import runpy
import shutil
import sys
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).parent
INSTALLED: Final = PACKAGE / "program"
PROGRAM: Final = INSTALLED if INSTALLED.is_dir() else PACKAGE.parent
SAMPLES: Final = ("config.yaml", "faq.yaml")


@dataclass(frozen=True, slots=True)
class Program:
    """A subcommand: the module to run, and arguments put before the given ones."""

    module: str
    what: str
    before: tuple[str, ...] = ()
    prepare: Callable[[Sequence[str]], None] = lambda _arguments: None


def write_samples(arguments: Sequence[str]) -> None:
    """Write sample config.yaml and faq.yaml at the first start; existing files are not changed."""
    if any(argument.split("=")[0] == "--config" for argument in arguments) or Path(SAMPLES[0]).exists():
        return
    try:
        for name in SAMPLES:
            if not Path(name).exists():
                shutil.copyfile(PROGRAM / name, name)
    except OSError:  # read-only directory: the start reports what is missing
        return
    print("已生成示例配置 config.yaml 和 faq.yaml (sample config written; edit it and start again)")


COMMANDS: Final = {
    "run": Program("bot", "启动 start the bot: run [--config FILE]", prepare=write_samples),
    "check": Program("bot", "检查配置 check a config: check [--config FILE]", ("--check",)),
    "backup": Program("tools.backup", "备份数据库 back up the database: backup [--config FILE] FILE", ("make",)),
    "restore": Program("tools.backup", "恢复数据库 restore the database: restore [--config FILE] FILE", ("restore",)),
    "relay": Program("relay", "中继 start the relay: relay --config relay.yaml"),
    "sandbox": Program("sandbox", "沙箱 start the sandbox WeChat: sandbox [--port PORT]"),
    "export": Program("tools.privacy", "导出某人的数据 export the data of a person: export WXID", ("export",)),
}


def add_to_path(environment: MutableMapping[str, str]) -> None:
    """Add the program's modules to the path of this process and its children."""
    sys.path.insert(0, str(PROGRAM))
    before = environment.get("PYTHONPATH", "")
    environment["PYTHONPATH"] = f"{PROGRAM}{os.pathsep}{before}" if before else str(PROGRAM)


def read_secret_files(environment: MutableMapping[str, str]) -> None:
    """Read WECHATY_X_FILE and WXBOT_X_FILE, such as container secrets, into WECHATY_X and WXBOT_X."""
    for name in list(environment):
        if not name.startswith(("WECHATY_", "WXBOT_")) or not name.endswith("_FILE"):
            continue
        path = environment.pop(name)
        if path:
            environment.setdefault(name.removesuffix("_FILE"), Path(path).read_text(encoding="utf-8").strip())


def usage() -> str:
    """Return the text of --help."""
    lines = [f"  {name:<8} {command.what}" for name, command in COMMANDS.items()]
    return "\n".join(("wxbot 微信智能服务助手", "", "wxbot COMMAND [--help]", *lines, "  --version"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    add_to_path(os.environ)
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if argv else 2
    if argv[0] in ("-V", "--version", "version"):
        from version import VERSION

        print(f"wxbot {VERSION}")
        return 0
    command = COMMANDS.get(argv[0])
    if command is None:
        print(f"wxbot: unknown command {argv[0]!r}\n\n{usage()}", file=sys.stderr)
        return 2
    try:
        read_secret_files(os.environ)
    except (OSError, UnicodeDecodeError) as error:
        print(f"wxbot: a secret cannot be read: {error}", file=sys.stderr)
        return 2
    command.prepare(argv[1:])
    sys.argv = [f"wxbot {argv[0]}", *command.before, *argv[1:]]
    runpy.run_module(command.module, run_name="__main__", alter_sys=True)
    return 0
