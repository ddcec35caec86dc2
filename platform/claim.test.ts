import t from 'tap'
import { claim } from './claim.ts'

t.test('a name is held by one at a time', async t => {
  const name = `test-${process.pid}`
  const first = await claim(name)
  t.ok(first)
  t.equal(await claim(name), undefined)
  await first?.[Symbol.asyncDispose]()
  const next = await claim(name)
  t.ok(next)
  await next?.[Symbol.asyncDispose]()
})
