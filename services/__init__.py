"""The rules. Called by handlers, api and jobs; they know neither aiohttp's server nor wechaty."""
