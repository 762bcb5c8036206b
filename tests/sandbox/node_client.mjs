// A bot on the official Node.js client (wechaty over wechaty-puppet-service), written like any other bot; run by
// test_sandbox_clients.py. ENDPOINT and TOKEN come from the environment; it prints the events as one JSON object per line.
import { createRequire } from 'module'
import { pathToFileURL } from 'url'

const require = createRequire(process.env.MODULES + '/')
const load = async name => import(pathToFileURL(require.resolve(name)))
const { WechatyBuilder } = await load('wechaty')
const { FileBox } = await load('file-box')
const { PuppetService } = await load('wechaty-puppet-service')

const say = (what, facts = {}) => console.log(JSON.stringify({ what, ...facts }))
const puppet = new PuppetService({ endpoint: process.env.ENDPOINT, token: process.env.TOKEN, tls: { disable: true } })
const bot = WechatyBuilder.build({ puppet })

bot.on('login', user => say('login', { id: user.id }))
bot.on('ready', () => say('ready'))
bot.on('error', error => say('error', { text: String(error) }))
bot.on('room-join', async (room, invitees) => say('join', { room: room.id, topic: await room.topic(), who: invitees.map(c => c.id) }))
bot.on('room-leave', (room, leavers) => say('leave', { room: room.id, who: leavers.map(c => c.id) }))
bot.on('friendship', async friendship => {
  say('friendship', { type: friendship.type(), hello: friendship.hello(), id: friendship.contact().id })
  if (friendship.type() === bot.Friendship.Type.Receive) await friendship.accept()
})
bot.on('message', async message => {
  if (message.self()) return
  const text = message.text()
  if (text === 'ding') await message.say('dong')
  if (text === 'find') {
    const contact = await bot.Contact.find({ name: '宋公明' })
    const room = await bot.Room.find({ topic: '梁山' })
    say('found', { contact: contact?.id, room: room?.id })
  }
  if (text === 'file') await message.say(FileBox.fromBuffer(Buffer.alloc(300 * 1024, 7), 'large.bin'))
  if (text === 'rename') {
    const room = await bot.Room.find({ topic: '梁山' })
    await room.topic('水泊')
    await room.sync()
    say('renamed', { topic: await room.topic() })
  }
  if ([bot.Message.Type.Attachment, bot.Message.Type.Image].includes(message.type())) {
    const box = await message.toFileBox()
    const data = await box.toBuffer()
    say('file', { name: box.name, base64: data.length < 1000 ? data.toString('base64') : '', size: data.length })
  }
  say('message', { text, talker: message.talker().id, type: message.type() })
})
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0))
await bot.start()
