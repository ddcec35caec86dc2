/**
 * What a hostile client does with a database that others use: one request, sent again and
 * again by each of some connections. Every member stands for a class of faults; which
 * functions never look for a cancel request was measured on PostgreSQL 15.
 */

export interface Attack {
  readonly name: string
  readonly title: string
  readonly connections: number
  readonly path: '/api/v1/db/read' | '/api/v1/db/write'
  /** The body, as text: it is made once. */
  body(): string
}

/** Runs for hours, and never looks for a cancel request. */
const UNINTERRUPTIBLE = `select length(translate(repeat('a', 3000000), repeat('b', 1000000), ''))`
/** About two seconds of an ordinary plan. */
const TWO_SECONDS = 'select sum(a % 7) from generate_series(1, 4500) a, generate_series(1, 4500) b'
const HUGE = `repeat('x', 540000000)`
const MIB = 1024 * 1024

const read = (sql: string, consistency = 'replica') => JSON.stringify({ sql, consistency })
const write = (...texts: string[]) => JSON.stringify({ statements: texts.map(sql => ({ sql })) })
const longText = (bytes: number) => `select 1${',1'.repeat(Math.floor(bytes / 2))}`
const deepText = (levels: number) => `select ${'('.repeat(levels)}1${')'.repeat(levels)}`

const READ = { path: '/api/v1/db/read' } as const
const WRITE = { path: '/api/v1/db/write' } as const

export const ATTACKS: readonly Attack[] = [
  {
    ...{ name: 'reads-without-end', title: 'reads that nothing interrupts, 8 at once' },
    ...{ ...READ, connections: 8, body: () => read(UNINTERRUPTIBLE) }
  },
  {
    ...{ name: 'strong-reads-without-end', title: 'the same as strong reads, 8 at once' },
    ...{ ...READ, connections: 8, body: () => read(UNINTERRUPTIBLE, 'strong') }
  },
  {
    ...{ name: 'write-without-end', title: 'a write that nothing interrupts' },
    ...{ ...WRITE, connections: 1, body: () => write(UNINTERRUPTIBLE) }
  },
  {
    ...{ name: 'many-statements', title: 'a write of 30 statements of 2 s each' },
    ...{ ...WRITE, connections: 1, body: () => write(...Array(30).fill(TWO_SECONDS)) }
  },
  {
    ...{ name: 'slow-reads', title: 'reads of 2 s, 40 at once' },
    ...{ ...READ, connections: 40, body: () => read(TWO_SECONDS) }
  },
  {
    ...{ name: 'slow-strong-reads', title: 'strong reads of 2 s, 40 at once' },
    ...{ ...READ, connections: 40, body: () => read(TWO_SECONDS, 'strong') }
  },
  {
    ...{ name: 'slow-writes', title: 'writes of 2 s, 40 at once' },
    ...{ ...WRITE, connections: 40, body: () => write(TWO_SECONDS) }
  },
  {
    ...{ name: 'huge-value-read', title: 'a read of a value of 540 MB, 2 at once' },
    ...{ ...READ, connections: 2, body: () => read(`select ${HUGE}`) }
  },
  {
    ...{ name: 'huge-value-write', title: 'a write of a value of 540 MB' },
    ...{
      ...{ ...WRITE, connections: 1 },
      body: () => write(`insert into bystander (id, v) values (-1, ${HUGE}) returning v`)
    }
  },
  {
    ...{ name: 'long-text', title: '14 MB of SQL, 2 at once' },
    ...{ ...READ, connections: 2, body: () => read(longText(14 * MIB)) }
  },
  {
    ...{ name: 'text', title: '1.2 MB of SQL, 2 at once' },
    ...{ ...READ, connections: 2, body: () => read(longText(1.2 * MIB)) }
  },
  {
    ...{ name: 'deep-text', title: 'SQL of 100,000 brackets, 2 at once' },
    ...{ ...READ, connections: 2, body: () => read(deepText(100_000)) }
  }
]
