import t from 'tap'
import type { Mark, Report } from '../../wire/verify.ts'
import { type Cluster, NOTHING_KNOWN } from '../cluster-view.ts'
import { Asking, type AskingOptions } from './asking.ts'

const IN_SYNC = ['a', 'b', 'c']
const now = {
  ...NOTHING_KNOWN,
  state: { clusterId: 'x', term: 1, master: 'a', inSync: IN_SYNC },
  workers: new Map(IN_SYNC.map(id => [id, {}]))
} as unknown as Cluster

type Said = { kind: 'done' } | { kind: 'problem'; problem: 'late' | 'changed' }

/** A cluster in which each worker reports at once what `said` gives for the nth part. */
function asking(workers: string[], said: (worker: string, n: number) => Said): Asking {
  let hear: (report: Report) => void = () => {}
  let written = 0
  const dispatch = {
    replyTo: 'reply',
    onReport: (listener: typeof hear) => {
      hear = listener
      return { [Symbol.dispose]: () => {} }
    },
    write: async ({ statements }: { statements: string }) => {
      const [{ sql }] = JSON.parse(statements) as [{ sql: string }]
      const { id } = JSON.parse(sql) as Mark
      written += 1
      for (const workerId of IN_SYNC) {
        const done = { items: [], ends: {}, tables: [], tookMs: 1, message: '' }
        hear({ id, workerId, ...done, ...said(workerId, written) } as Report)
      }
      return { status: 200, body: Buffer.from(JSON.stringify({ index: written })) }
    }
  }
  const options = { dispatch, view: { now }, deadlineMs: 1_000, client: '' }
  return new Asking(options as unknown as AskingOptions, workers)
}

t.test('a part is repeated until all have computed it at one index', async t => {
  const asked = asking(IN_SYNC, (worker, n) =>
    worker === 'b' && n === 1 ? { kind: 'problem', problem: 'changed' } : { kind: 'done' }
  )
  const part = await asked.part({ kind: 'log' })
  t.match(part, { kind: 'done', index: 2 })
})

t.test('what others report than those that are asked does not count', async t => {
  const asked = asking(['a', 'b'], worker =>
    worker === 'c' ? { kind: 'problem', problem: 'late' } : { kind: 'done' }
  )
  const part = await asked.part({ kind: 'log' })
  t.strictSame(part.kind === 'done' && [...part.reports.keys()], ['a', 'b'])
})

t.test('one that misses too often is left out, and counts no more', async t => {
  const asked = asking(IN_SYNC, worker =>
    worker === 'c' ? { kind: 'problem', problem: 'late' } : { kind: 'done' }
  )
  const part = await asked.part({ kind: 'log' })
  t.strictSame(part.kind === 'done' && [...part.reports.keys()], ['a', 'b'])
  t.strictSame([...asked.leftOut.keys()], ['c'])
})
