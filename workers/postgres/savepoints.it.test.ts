/**
 * Every pair and triple of kinds of statements as one command, alone and among others, in each of
 * the three modes (docs/write-execution.md): outcomes are those of a simple model, what failed left
 * nothing behind, what went well is all there, and the log goes on without a gap.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import {
  below,
  command,
  ddl,
  entryOf,
  resultOf,
  rowsOf,
  startWorker
} from '../../testing/fixtures/postgres.ts'
import type { Statement, WriteCommand } from '../../wire/requests.ts'
import { checksumOf } from '../entry.ts'
import type { Store } from '../store.ts'
import { SETUP_ROLE } from './server.ts'

const MODES = ['straight', 'savepoints', 'stepwise'] as const
const MAX_ENTRY_BYTES = 4_096
/** Combinations in one batch, each between two commands that have nothing to do with them. */
const TOGETHER = 24

interface Kind {
  /** @param key of a row that no other statement inserts */
  readonly statement: (key: number) => Partial<Statement>
  /** What the command comes to if this is the first that is wrong; by default it is not. */
  readonly outcome?: { readonly status: number; readonly code?: string; readonly sqlstate?: string }
}

const insert = (key: number, bytes = 1) =>
  `insert into t values (${key}, repeat('x', ${Math.floor(bytes)}))`
const failing = (sqlstate: string, sql: string, status = 400): Kind => ({
  statement: () => ({ sql }),
  outcome: { status, sqlstate }
})

const KINDS: Readonly<Record<string, Kind>> = {
  success: { statement: key => ({ sql: insert(key) }) },
  unmet: {
    statement: key => ({ sql: insert(key), expectRows: 2 }),
    outcome: { status: 409, code: 'CONVOY_EXPECTATION_FAILED' }
  },
  'unmet read': {
    statement: () => ({ sql: 'select 1 where false', expectRows: 1 }),
    outcome: { status: 409, code: 'CONVOY_EXPECTATION_FAILED' }
  },
  constraint: failing('23502', 'insert into t values (null)', 409),
  data: failing('22012', 'insert into t select 1 / 0'),
  unknown: failing('42P01', 'select * from nonsense'),
  internal: failing('XX000', "select float8_avg('{1}')"),
  file: failing('58P01', 'select pg_tablespace_location(1)'),
  locked: failing('55P03', 'select * from held for update nowait'),
  cancelled: failing(
    '57014',
    'select count(*) from generate_series(1, 30000) a, generate_series(1, 30000) b -- cancel this'
  ),
  /** More than half of what an entry holds: two of them are too much, which shows at the end. */
  large: { statement: key => ({ sql: insert(key, 0.6 * MAX_ENTRY_BYTES) }) },
  'too large': {
    statement: key => ({ sql: insert(key, 2 * MAX_ENTRY_BYTES) }),
    outcome: { status: 413, code: 'CONVOY_ENTRY_TOO_LARGE' }
  },
  'large result': {
    statement: () => ({ sql: `select repeat('x', ${2 * MAX_ENTRY_BYTES}) as x` }),
    outcome: { status: 413, code: 'CONVOY_ENTRY_TOO_LARGE' }
  }
}
/** These take longer, or make all the batch run again; their pairs will do. */
const SLOW_KINDS: Readonly<Record<string, Kind>> = {
  memory: failing('53200', "select repeat('x', 500000000)"),
  temporary: failing(
    '53400',
    'select repeat(g::text, 50) from generate_series(1, 60000) g order by 1 desc offset 59999'
  ),
  commit: failing('42501', 'commit'),
  rollback: failing('42501', 'rollback to savepoint s'),
  release: failing('42501', 'release savepoint s')
}

const CONTROL = new Set(['commit', 'rollback', 'release'])

interface Combination {
  readonly names: readonly string[]
  readonly command: WriteCommand
  readonly keys: readonly number[]
  readonly outcome: NonNullable<Kind['outcome']>
}

let keys = 0

function combined(names: readonly string[]): Combination {
  const kinds = names.map(name => ({ ...KINDS, ...SLOW_KINDS })[name] as Kind)
  const from = keys
  keys += names.length
  const statements = kinds.map(({ statement }, i) => statement(from + i))
  const inserting = new Set(['success', 'large'])
  const isLarge = names.filter(name => name === 'large').length > 1
  const large = { status: 413, code: 'CONVOY_ENTRY_TOO_LARGE' }
  const failed = kinds.findIndex(({ outcome }) => outcome?.sqlstate !== undefined)
  // PostgreSQL runs nothing behind an error. Transaction control voids what went before it.
  const control = failed !== -1 && CONTROL.has(names[failed] ?? '') ? kinds[failed] : undefined
  const wrong = (control ?? kinds.find(({ outcome }) => outcome !== undefined))?.outcome
  return {
    names,
    command: command(statements),
    keys: names.flatMap((name, i) => (inserting.has(name) ? [from + i] : [])),
    outcome: wrong ?? (isLarge ? large : { status: 200 })
  }
}

const pairs = (kinds: Iterable<string>, others: readonly string[]) =>
  [...kinds].flatMap(a => others.map(b => [a, b]))

/** Cancels, once each, the statements that ask for it. */
async function canceller(t: Test, client: pg.Client) {
  const seen = new Set<string>()
  let closed = false
  const query = `select pid, query_start::text || state_change as at from pg_stat_activity
    where state = 'active' and query like '%-- cancel this' and usename = 'convoy_app'`
  const running = (async () => {
    while (!closed) {
      const { rows } = await client.query(query)
      for (const { pid, at } of rows) {
        if (!seen.has(at)) await client.query('select pg_cancel_backend($1)', [pid])
        seen.add(at)
      }
      await sleep(1)
    }
  })()
  t.teardown(async () => {
    closed = true
    await running
  })
}

async function openAsSetup(t: Test, { socketDir, port }: { socketDir: string; port: number }) {
  const client = new pg.Client({ host: socketDir, port, user: SETUP_ROLE, database: 'postgres' })
  await client.connect()
  t.teardown(() => client.end())
  return client
}

async function start(t: Test, leastMode: (typeof MODES)[number]) {
  const limits = { maxEntryBytes: MAX_ENTRY_BYTES }
  const { store, server } = await startWorker(t, limits, { leastMode })
  await below(server, "alter system set temp_file_limit = '1MB'")
  await below(server, 'select pg_reload_conf()')
  await store.beginTerm(1)
  const schema = ['t (key int primary key, v text)', 'held (key int primary key)']
  await store.execute(
    schema.map(table => ddl(`create table ${table}`)),
    1
  )
  await store.execute([command(['insert into held values (1)'])], 1)
  const holder = await openAsSetup(t, server)
  await holder.query('begin')
  await holder.query('select * from held for update')
  await canceller(t, await openAsSetup(t, server))
  return store
}

/** Runs the combinations in one batch, with innocent commands between them unless it is one alone. */
async function check(t: Test, store: Store, combinations: readonly Combination[]) {
  const innocent = combined(['success'])
  const all =
    combinations.length === 1
      ? combinations
      : [innocent, ...combinations.flatMap(one => [one, combined(['success'])])]
  const executed = await store.execute(
    all.map(one => one.command),
    1
  )
  for (const [i, { names, outcome }] of all.entries()) {
    const entry = entryOf(executed[i])
    const { code, sqlstate } = entry.status === 200 ? {} : resultOf(entry)
    const found = { status: entry.status, code, sqlstate }
    t.match(found, outcome, `${names.join(', ')} as ${i} of ${all.length}`)
    if (entry.status !== 200) t.equal(entry.changes.includes('"op":"insert"'), false)
  }
  return all.flatMap(({ keys, outcome }) => (outcome.status === 200 ? keys : []))
}

async function checkEnd(t: Test, store: Store, expected: readonly number[]) {
  const rows = (await rowsOf(store, 'select key from t')) as { key: number }[]
  const found = rows.map(({ key }) => key)
  t.strictSame(
    new Set(found),
    new Set(expected),
    'rows of the commands that went well, and no others'
  )
  const found2 = await store.entriesAfter(0, 1e9)
  if (found2 === 'pruned') throw new Error('pruned')
  let checksum = ''
  for (const [i, entry] of found2.entries.entries()) {
    checksum = checksumOf(checksum, entry)
    if (entry.index !== i + 1 || entry.checksum !== checksum)
      t.fail(`entry ${i + 1} does not follow`)
  }
}

function batches<T>(all: readonly T[]): T[][] {
  const count = Math.ceil(all.length / TOGETHER)
  return Array.from({ length: count }, (_, i) => all.slice(i * TOGETHER, (i + 1) * TOGETHER))
}

for (const mode of MODES) {
  t.test(`all pairs and triples, ${mode}`, async t => {
    const store = await start(t, mode)
    const names = Object.keys(KINDS)
    const triples = pairs(names, names).flatMap(pair => names.map(name => [...pair, name]))
    const kept: number[] = []
    for (const batch of batches([
      ...names.map(name => [name]),
      ...pairs(names, names),
      ...triples
    ])) {
      kept.push(...(await check(t, store, batch.map(combined))))
    }
    for (const pair of pairs(names, names)) kept.push(...(await check(t, store, [combined(pair)])))
    const slow = Object.keys(SLOW_KINDS)
    const quick = ['success', 'unmet', 'data', 'large result']
    for (const pair of [...pairs(slow, quick), ...pairs(quick, slow), ...pairs(slow, slow)]) {
      const one = combined(pair)
      kept.push(...(await check(t, store, [one])))
      kept.push(...(await check(t, store, [combined(pair), combined(['unmet', 'success'])])))
    }
    await checkEnd(t, store, kept)
  })
}
