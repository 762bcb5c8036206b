"""The rules of wxbot, called by handlers, api, console and jobs. They do not depend on aiohttp's server or wechaty."""
