import { readFileSync } from 'node:fs'
import t from 'tap'
import { arrowsOf } from './diagram.ts'
import { runSchedule } from './schedule.ts'

/** All are run in search of what is not drawn; more only while something drawn was not seen. */
const SCHEDULES = 300
const SCHEDULES_MAX = 4_000

const BEGINNING = '[*] -> waiting'

/** In one step a worker may learn both that it is nothing any more and what comes next. */
function isDrawn(drawn: ReadonlySet<string>, transition: string): boolean {
  const [from, to] = transition.split(' -> ')
  const passes = drawn.has(`${from} -> waiting`) && drawn.has(`waiting -> ${to}`)
  return passes || drawn.has(transition)
}

t.test('the diagram in docs/protocol.md draws what workers do, and nothing else', async t => {
  const drawn = arrowsOf(readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8'))
  t.ok(drawn.delete(BEGINNING), 'a worker begins without knowing who leads')
  const seen = new Map<string, number>()
  let seed = 1
  for (; seed <= SCHEDULES || (seed <= SCHEDULES_MAX && drawn.difference(seen).size > 0); seed++) {
    for (const [name, count] of runSchedule(seed).transitions) {
      const [transition = ''] = name.split(' on ')
      seen.set(transition, (seen.get(transition) ?? 0) + count)
      if (!isDrawn(drawn, transition)) t.fail(`seed ${seed}: ${name} is not drawn`)
    }
  }
  t.comment(`in ${seed - 1} schedules: ${[...seen].map(([name, n]) => `${n} ${name}`).join(', ')}`)
  t.strictSame([...drawn.difference(seen)], [], 'all that is drawn was seen')
})
