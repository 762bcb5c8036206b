/** The official Node.js client answering every message. */
const wechaty = await import(new URL('../../tests/gateway/node_modules/wechaty/dist/esm/src/mods/mod.js', import.meta.url))
const [endpoint, token] = process.argv.slice(2)
const bot = wechaty.WechatyBuilder.build({
  name: 'bench', puppet: 'wechaty-puppet-service', puppetOptions: { endpoint, token, tls: { disable: true } },
})
bot.on('message', async (message) => {
  const text = message.text()
  if (text.startsWith('问')) await message.talker().say('答' + text.slice(1))
})
bot.on('error', () => {})
await bot.start()
process.stdout.write('ready\n')
