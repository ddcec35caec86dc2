import t from 'tap'
import { Coalesced } from './coalesced.ts'

t.test('what is asked while it runs is done by one more run, never two at once', async t => {
  let runs = 0
  let running = 0
  let atOnce = 0
  const gate = Promise.withResolvers<void>()
  const work = new Coalesced(async () => {
    runs += 1
    running += 1
    atOnce = Math.max(atOnce, running)
    await gate.promise
    running -= 1
  })
  work.ask()
  t.equal(runs, 0, 'nothing runs before the caller is done')
  await Promise.resolve()
  for (let i = 0; i < 5; i++) work.ask()
  gate.resolve()
  await new Promise(setImmediate)
  t.strictSame({ runs, running, atOnce }, { runs: 2, running: 0, atOnce: 1 })
  work.ask()
  await new Promise(setImmediate)
  t.equal(runs, 3, 'and it can be asked again')
})
