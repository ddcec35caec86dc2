import t from 'tap'
import { claim, claimWithin } from './claim.ts'

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

t.test('one may wait for a holder to end, for some time', async t => {
  const name = `test-wait-${process.pid}`
  const first = await claim(name)
  t.equal(await claimWithin(10, name), undefined)
  const next = claimWithin(5_000, name)
  await first?.[Symbol.asyncDispose]()
  await (await next)?.[Symbol.asyncDispose]()
  t.ok(await next)
})
