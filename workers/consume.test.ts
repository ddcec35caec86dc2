import t from 'tap'
import type { AmqpLink } from '../platform/amqp.ts'
import { openLog } from '../platform/log.ts'
import { openConsumption } from './consume.ts'
import type { View } from './protocol/view.ts'
import type { Reads } from './reads.ts'
import type { Writes } from './writes.ts'

const link = { n: 'one' } as AmqpLink
const replica = { role: 'replica', term: 3, leads: false, reads: true, diverged: false } as View

function recorded() {
  const done: string[] = []
  const reads = {
    start: async (_link: AmqpLink, queue: string, prefetch?: number) => {
      done.push(`start ${queue} ${prefetch}`)
    },
    stop: (how: string) => done.push(how)
  } as unknown as Reads
  const consumption = openConsumption({
    writes: {} as Writes,
    reads,
    strongReads: reads,
    log: openLog({ service: 'test', level: 'silent' })
  })
  const follow = async (view: View) => {
    consumption.follow(view, link)
    await new Promise(setImmediate)
    return done.splice(0)
  }
  return { consumption, follow }
}

t.test('another number of reads at once takes hold at once; those taken are finished', async t => {
  const { consumption, follow } = recorded()
  t.strictSame(await follow(replica), ['start readQ 32'])
  t.strictSame(await follow(replica), [])
  consumption.prefetch = 4
  t.strictSame(await follow(replica), ['finish', 'start readQ 4'])
  t.strictSame(await follow({ ...replica, reads: false }), ['finish'])
  consumption.prefetch = 8
  t.strictSame(await follow({ ...replica, reads: false }), [], 'none of its own accord')
  t.strictSame(await follow(replica), ['start readQ 8'])
})
