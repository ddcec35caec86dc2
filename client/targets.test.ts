import t, { type Test } from 'tap'
import { serve } from '../testing/fixtures/http-server.ts'
import { Caller } from './caller.ts'
import { leastBusy, Targets } from './targets.ts'

/** A server that answers, and how often it did. */
async function counter(t: Test) {
  const counted = { calls: 0, url: '' }
  counted.url = await serve(t, (_request, response) => {
    counted.calls += 1
    response.end('{}')
  })
  return counted
}

function open(t: Test, ...urls: string[]) {
  const targets = new Targets(urls)
  const caller = new Caller({ targets, headers: {} })
  t.teardown(() => caller[Symbol.asyncDispose]())
  const call = () => caller.call({ method: 'GET', path: '/' }, {})
  return { targets, call }
}

t.test('idle ones take turns, a busy one is passed over', async t => {
  const [idle, busy, other] = [{ busy: 0 }, { busy: 1 }, { busy: 0 }]
  t.strictSame(
    [0, 1, 2, 3].map(turn => leastBusy([idle, busy, other], turn)),
    [idle, other, other, idle]
  )
  t.equal(leastBusy([], 7), undefined)
})

t.test('calls are spread evenly over all', async t => {
  for (const count of [2, 3]) {
    const servers = await Promise.all(Array.from({ length: count }, () => counter(t)))
    const { call } = open(t, ...servers.map(({ url }) => url))
    for (let i = 0; i < 10 * count; i++) await call()
    t.ok(servers.every(({ calls }) => calls === 10))
  }
})

t.test('a frozen one is passed over by all but a few', async t => {
  const works = await counter(t)
  const frozen = { calls: 0 }
  const url = await serve(t, () => {
    frozen.calls += 1
  })
  const { call } = open(t, url, works.url)
  for (let i = 0; i < 20; i++) await Promise.race([call(), new Promise(r => setTimeout(r, 5))])
  t.ok(frozen.calls <= 2, `${frozen.calls} calls wait there`)
})

t.test('those that come get calls, those that go get none', async t => {
  const [one, two] = [await counter(t), await counter(t)]
  const { targets, call } = open(t, one.url)
  await call()
  targets.become([two.url])
  await call()
  t.strictSame([one.calls, two.calls], [1, 1])
  targets.become([])
  t.strictSame(targets.origins, [two.url], 'no list tells nothing')
})

t.test('those that an operator has frozen get no calls, unless all are', async t => {
  const [one, two] = [await counter(t), await counter(t)]
  const { targets, call } = open(t, one.url, two.url)
  targets.become([one.url, two.url], [one.url])
  for (let i = 0; i < 4; i++) await call()
  t.strictSame([one.calls, two.calls], [0, 4])
  targets.become([one.url, two.url], [one.url, two.url])
  for (let i = 0; i < 4; i++) await call()
  t.strictSame([one.calls, two.calls], [2, 6], 'it says itself that it takes none')
})

t.test('what one that went does not answer is asked of another', async t => {
  const works = await counter(t)
  const silent = await serve(t, () => {})
  const { targets, call } = open(t, silent)
  const answer = call()
  targets.become([works.url])
  t.match(await answer, { status: 200 })
})

t.test('a call waits for somebody to be known', async t => {
  const works = await counter(t)
  const { targets, call } = open(t)
  const answer = call()
  targets.become([works.url])
  t.match(await answer, { status: 200 })
})
