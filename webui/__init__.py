"""What the pages of the console and of the sandbox share: preact, icons and basic styles; served under `shared/`."""

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
FILES: Final = {path.name: path for path in FOLDER.iterdir() if path.suffix in (".js", ".css")}
