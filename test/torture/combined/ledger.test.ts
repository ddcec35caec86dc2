import t from 'tap'
import { Ledger } from './ledger.ts'

const ok = (index: number) => ({ status: 200, body: { index } })

function ledgerOf(...keys: readonly string[]): Ledger {
  const ledger = new Ledger()
  for (const key of keys) ledger.sends(key, 0)
  return ledger
}

t.test('the same answer each time, and one row: nothing to say', async t => {
  const ledger = ledgerOf('a', 'b')
  ledger.told('a', { status: 504, body: {} })
  ledger.told('a', ok(7))
  ledger.told('a', { status: 503, body: {} })
  ledger.told('a', ok(7))
  t.equal(ledger.compared, 1)
  t.strictSame(ledger.judge(new Map([['a', 1]])), [])
  t.strictSame(
    ledger.judge(
      new Map([
        ['a', 1],
        ['b', 1]
      ])
    ),
    [],
    'nobody was told of b'
  )
})

t.test('another answer is a problem', async t => {
  const ledger = ledgerOf('a')
  ledger.told('a', ok(7))
  ledger.told('a', ok(8))
  t.match(ledger.judge(new Map([['a', 1]])), [/answered 200 .*7.*, then 200 .*8/])
})

t.test('lost, doubled, done though refused, and made up', async t => {
  const ledger = ledgerOf('lost', 'doubled', 'refused')
  ledger.told('lost', ok(1))
  ledger.told('doubled', ok(2))
  ledger.told('refused', { status: 422, body: {} })
  const counts = new Map([
    ['doubled', 2],
    ['refused', 1],
    ['made up', 1]
  ])
  t.match(ledger.judge(counts), [/missing/, /executed 2 times/, /row is there/, /nobody sent/])
})
