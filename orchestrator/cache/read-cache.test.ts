import t from 'tap'
import type { Dependence } from '../../wire/requests.ts'
import { Answers } from './answers.ts'
import type { Changed } from './heard.ts'
import { type AskedRead, ReadCache } from './read-cache.ts'

const SQL = 'select * from a where id = $1'
const ask = (params: AskedRead['params'] = [1], minIndex = 0): AskedRead => {
  return { sql: SQL, params, minIndex }
}
const answer = (index: number, rows: unknown[] = []) =>
  Buffer.from(JSON.stringify({ index, workerId: 'w', fields: [], rows }))

/** Listening at index 10, with proofs that last; a statement on table `a`. */
function listening({ maxBytes = 1e6, ...told }: Partial<Dependence> & { maxBytes?: number } = {}) {
  const cache = new ReadCache({ maxBytes, maxAgeMs: 1e9 })
  const { heard, statements } = cache
  heard.take({ term: 1, master: 'm', prev: 10, commitIndex: 10, entries: [] })
  heard.prove({ askedMs: 0, term: 1, master: 'm', index: 10 })
  const learn = () => {
    for (const one of statements.takeWanted()) {
      statements.learn(one, { index: heard.end, tables: ['a'], instants: [], ...told })
    }
  }
  const change = (...entries: Changed[]) =>
    heard.take({ term: 1, master: 'm', prev: heard.end, commitIndex: 10, entries })
  /** As the orchestrator does it; the index of what it was told, or null when a replica is asked. */
  const read = (asked: AskedRead, replica: Buffer) => {
    const { body, place } = cache.look(asked, 1)
    if (place !== null) cache.keep(place, replica)
    return body === null ? null : (JSON.parse(body) as { index: number; rows: unknown[] })
  }
  return { cache, learn, change, read }
}

t.test('what is asked again is kept, once it is known what it depends on', async t => {
  const { cache, learn, read } = listening()
  t.equal(read(ask(), answer(10)), null)
  t.equal(cache.repeatedMs, Number.NEGATIVE_INFINITY)
  t.equal(read(ask(), answer(10)), null)
  t.equal(cache.repeatedMs, 1)
  learn()
  t.equal(read(ask(), answer(10, [1])), null)
  t.strictSame(read(ask(), answer(99)), { index: 10, workerId: 'w', fields: [], rows: [1] })
  t.strictSame([cache.counts.hit, cache.counts.new, cache.size], [1, 3, 1])
})

t.test('other parameters are another read', async t => {
  const { learn, read } = listening()
  for (let i = 0; i < 3; i++) {
    for (const one of [1, '1', null, [1]]) read(ask([one]), answer(10, [one]))
    learn()
  }
  for (const one of [1, '1', null, [1]]) t.strictSame(read(ask([one]), answer(10))?.rows, [one])
})

t.test('what comes once is not kept', async t => {
  const { cache, learn, read } = listening()
  for (let i = 0; i < 3; i++) read(ask(), answer(10))
  learn()
  for (let id = 100; id < 600; id++) read(ask([id]), answer(10))
  t.ok(cache.size < 20, 'but for hashes that collide')
})

t.test('a change lets go of what it touches, and of an answer that was on its way', async t => {
  const { cache, learn, change, read } = listening()
  for (let i = 0; i < 3; i++) {
    read(ask(), answer(10))
    learn()
  }
  t.equal(read(ask(), answer(10))?.index, 10)
  change({ index: 11, tables: ['b'] })
  t.equal(read(ask(), answer(10))?.index, 10)
  change({ index: 12, tables: ['a'] })
  t.equal(read(ask(), answer(11)), null)
  t.equal(read(ask(), answer(12, ['new'])), null, 'what came from before the change is not kept')
  t.strictSame(read(ask(), answer(12))?.rows, ['new'])
  t.equal(cache.counts.changed, 2)
})

t.test('a statement is asked about again after a schema change', async t => {
  const { cache, learn, change, read } = listening()
  for (let i = 0; i < 3; i++) {
    read(ask(), answer(10))
    learn()
  }
  change({ index: 11, tables: 'all' })
  t.equal(read(ask(), answer(11)), null)
  t.equal(read(ask(), answer(11)), null)
  learn()
  t.equal(read(ask(), answer(11)), null)
  t.equal(read(ask(), answer(11))?.index, 11)
  t.equal(cache.counts.unheard, 3)
})

t.test('a statement whose answers may change by themselves is never kept', async t => {
  const { cache, learn, read } = listening({ tables: null })
  for (let i = 0; i < 5; i++) {
    t.equal(read(ask(), answer(10)), null)
    learn()
  }
  t.equal(cache.size, 0)
})

t.test('of dates and timestamps only ISO texts are kept', async t => {
  const texts = ['2026-11-22', '2026-11-22 10:00:00+00', '2026-11-22T10:00:00.123Z', null]
  const others = ['now', 'today', ' 2026-11-22', '10:00', 'epoch', '22.11.2026', 5]
  for (const text of [...texts, ...others]) {
    const { cache, learn, read } = listening({ instants: [0] })
    for (let i = 0; i < 4; i++) {
      read(ask([text]), answer(10))
      learn()
    }
    t.equal(cache.size, others.includes(text as string) ? 0 : 1, String(text))
  }
})

t.test('a session is not told less than it has seen', async t => {
  const { learn, read } = listening()
  for (let i = 0; i < 3; i++) {
    read(ask(), answer(10))
    learn()
  }
  t.equal(read(ask([1], 10), answer(10))?.index, 10)
  t.equal(read(ask([1], 11), answer(11)), null)
  t.equal(read(ask([1], 11), answer(11))?.index, 11, 'the newer answer takes its place')
})

t.test('what is no answer of a replica is not kept', async t => {
  for (const body of ['', 'null', '{"rows":[]}', '{"index":"x","rows":[]}']) {
    const { cache, learn, read } = listening()
    for (let i = 0; i < 3; i++) {
      read(ask(), Buffer.from(body))
      learn()
    }
    t.equal(cache.size, 0, body)
  }
})

t.test('memory is bounded: what was not told lately goes first', async t => {
  const ground = { epoch: 0, index: 1, tables: [] }
  const answers = new Answers(10_000)
  const keep = (key: string, rest = 'x'.repeat(500)) =>
    answers.keep({ key, index: 1, ground, rest })
  for (let i = 0; i < 10; i++) keep(`k${i}`)
  const told = answers.get('k0')
  if (told !== undefined) told.told = true
  for (let i = 10; i < 60; i++) keep(`k${i}`)
  t.ok(answers.bytes <= 10_000)
  t.ok(answers.size >= 10)
  t.ok(answers.get('k59'))
  t.notOk(answers.get('k1'))
  const before = answers.bytes
  keep('k59', 'x'.repeat(400))
  t.equal(answers.bytes, before - 100, 'what is kept anew is counted once')
  keep('k59', 'x'.repeat(5_000))
  t.notOk(answers.get('k59'), 'one does not push out all others')
  keep('wide', 'ä'.repeat(200))
  const narrow = answers.get('wide')?.bytes ?? 0
  keep('wide', '€'.repeat(200))
  t.equal(answers.get('wide')?.bytes, narrow + 200, 'two bytes for each character')
  answers.clear()
  t.strictSame([answers.size, answers.bytes], [0, 0])
})

t.test('statements are remembered in bounded memory', async t => {
  const { cache } = listening()
  const first = cache.statements.make('first')
  for (let i = 0; i < 2_000; i++) cache.statements.make(`select ${i}`)
  t.equal(cache.statements.get('first'), undefined)
  t.not(cache.statements.make('first').id, first.id)
})

t.test('of many statements a few are asked about at a time, each once', async t => {
  const { statements } = listening().cache
  const all = Array.from({ length: 20 }, (_, i) => statements.make(`select ${i}`))
  const wantAll = () => {
    for (const one of all) statements.want(one)
  }
  wantAll()
  const first = statements.takeWanted()
  t.strictSame(first, all.slice(0, 8))
  wantAll()
  t.strictSame(statements.takeWanted(), [])
  for (const one of first.slice(0, 2)) statements.learn(one, undefined)
  t.strictSame(statements.takeWanted(), all.slice(8, 10))
  wantAll()
  for (const one of first.slice(2)) statements.learn(one, undefined)
  t.strictSame(statements.takeWanted(), all.slice(10, 16))
})
