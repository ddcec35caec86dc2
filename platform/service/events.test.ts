import t from 'tap'
import { decodeUserDeleted, decodeUserDeletedDone, encodeEvent } from './events.ts'

t.test('an event comes back as it was sent', async t => {
  const event = { eventId: 'e1', username: 'Ünï', index: 7 }
  t.strictSame(decodeUserDeleted(encodeEvent(event)), event)
  t.strictSame(decodeUserDeletedDone(encodeEvent({ eventId: 'e1' })), { eventId: 'e1' })
})

t.test('what is no event is told from one', async t => {
  for (const text of ['', 'null', '[]', '{', '{"eventId":1}', '{"eventId":"e","username":"a"}']) {
    t.equal(decodeUserDeleted(Buffer.from(text)), undefined, text)
  }
})
