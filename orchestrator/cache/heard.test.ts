import t from 'tap'
import { type Changed, type Ground, Heard, type News, tellableAt } from './heard.ts'

const ASK = { nowMs: 1_000, minIndex: 0, maxAgeMs: 100 }

const news = (of: Partial<News>): News => ({
  ...{ term: 3, master: 'm', prev: 10, commitIndex: 10, entries: [] },
  ...of
})

const entry = (index: number, ...tables: string[]): Changed => ({ index, tables })

/** Heard up to 10 in term 3, with a proof of just now; and what an answer about `a` rests on. */
function listening(): { heard: Heard; ground: Ground } {
  const heard = new Heard()
  heard.take(news({}))
  heard.prove({ askedMs: 990, term: 3, master: 'm', index: 10 })
  return { heard, ground: { epoch: heard.epoch, index: 10, tables: [heard.table('a')] } }
}

t.test('an answer is told while nothing that it read has changed', async t => {
  const { heard, ground } = listening()
  const kept = { index: 10, ground }
  t.equal(tellableAt(kept, heard, ASK), 10)
  heard.take(news({ entries: [entry(11, 'b'), entry(12)], commitIndex: 11 }))
  t.equal(tellableAt(kept, heard, ASK), 11, 'at the highest index that is known to be committed')
  heard.take(news({ prev: 12, entries: [entry(13, 'b', 'a')], commitIndex: 11 }))
  t.equal(tellableAt(kept, heard, ASK), 'changed', 'also by what is not committed')
  t.equal(tellableAt({ index: 13, ground }, heard, ASK), 13, 'an answer that has seen the change')
  t.equal(tellableAt({ index: 12, ground }, heard, ASK), 'changed', 'one that was on its way')
})

t.test('an answer ahead of what was heard is told, until a later change is heard', async t => {
  const { heard, ground } = listening()
  const kept = { index: 12, ground }
  t.equal(tellableAt(kept, heard, ASK), 12)
  heard.take(news({ entries: [entry(11, 'a'), entry(12, 'a')] }))
  t.equal(tellableAt(kept, heard, ASK), 12)
  heard.take(news({ prev: 12, entries: [entry(13, 'a')] }))
  t.equal(tellableAt(kept, heard, ASK), 'changed')
})

t.test('after a gap only answers from behind it are told', async t => {
  const { heard, ground } = listening()
  heard.take(news({ prev: 12, entries: [entry(13, 'b')], commitIndex: 12 }))
  t.equal(tellableAt({ index: 11, ground }, heard, ASK), 'unheard')
  const later = { ...ground, index: 12 }
  t.equal(tellableAt({ index: 12, ground: later }, heard, ASK), 12)
  t.equal(tellableAt({ index: 12, ground }, heard, ASK), 'unheard', 'the schema may be another')
  heard.take(news({ entries: [entry(11, 'a'), entry(12, 'a')], commitIndex: 12 }))
  t.equal(heard.floor, 12, 'what comes late closes no gap')
  t.equal(tellableAt({ index: 12, ground: later }, heard, ASK), 12)
})

t.test('messages that come twice or overlap say nothing new', async t => {
  const { heard, ground } = listening()
  const message = news({ entries: [entry(11, 'b'), entry(12, 'b')], commitIndex: 12 })
  heard.take(message)
  heard.take(message)
  heard.take(news({ prev: 11, entries: [entry(12, 'b'), entry(13, 'b')], commitIndex: 12 }))
  t.strictSame([heard.floor, heard.end], [10, 13])
  t.equal(tellableAt({ index: 10, ground }, heard, ASK), 12)
})

t.test('a schema change, and what is not understood, changes everything', async t => {
  const { heard, ground } = listening()
  heard.take(news({ entries: [{ index: 11, tables: 'all' }] }))
  t.equal(tellableAt({ index: 10, ground }, heard, ASK), 'unheard')
  t.equal(tellableAt({ index: 11, ground }, heard, ASK), 'unheard', 'seen before the change')
  t.equal(tellableAt({ index: 11, ground: { ...ground, index: 11 } }, heard, ASK), 11)
})

t.test('without a fresh proof nothing is told', async t => {
  const { heard, ground } = listening()
  const kept = { index: 10, ground }
  t.equal(tellableAt(kept, heard, { ...ASK, nowMs: 1_090 }), 10)
  t.equal(tellableAt(kept, heard, { ...ASK, nowMs: 1_091 }), 'unproved', 'a process that slept')
  const deaf = new Heard()
  deaf.take(news({}))
  t.equal(tellableAt({ index: 10, ground: { ...ground, tables: [] } }, deaf, ASK), 'unproved')
})

t.test('a proof counts when all that it speaks of was heard', async t => {
  const { heard, ground } = listening()
  const kept = { index: 10, ground }
  const late = { ...ASK, nowMs: 1_150 }
  heard.prove({ askedMs: 1_100, term: 3, master: 'm', index: 12 })
  heard.prove({ askedMs: 1_120, term: 3, master: 'm', index: 13 })
  t.equal(tellableAt(kept, heard, late), 'unproved')
  heard.take(news({ entries: [entry(11), entry(12)] }))
  t.equal(tellableAt(kept, heard, late), 12, 'the index of a proof is committed')
  t.equal(heard.fresh?.askedMs, 1_100)
  heard.take(news({ prev: 12, entries: [entry(13)] }))
  t.equal(heard.fresh?.askedMs, 1_120)
  heard.prove({ askedMs: 1_050, term: 3, master: 'm', index: 11 })
  t.equal(heard.fresh?.askedMs, 1_120, 'one that was long on its way')
})

t.test('a proof of another term, or of another master, is none', async t => {
  const { heard, ground } = listening()
  const late = { ...ASK, nowMs: 1_150 }
  const kept = { index: 10, ground }
  heard.prove({ askedMs: 1_140, term: 4, master: 'n', index: 10 })
  t.equal(tellableAt(kept, heard, late), 'unproved', 'what the new master has was not heard')
  heard.take(news({ term: 4, master: 'n', prev: 10, entries: [entry(11)] }))
  t.equal(heard.fresh?.askedMs, 1_140)
  t.equal(tellableAt(kept, heard, late), 10)
  heard.prove({ askedMs: 1_145, term: 3, master: 'm', index: 10 })
  t.equal(heard.fresh?.askedMs, 1_140)
})

t.test(
  'a new term begins where its first message does, and ends the proofs of the last',
  async t => {
    const { heard, ground } = listening()
    const kept = { index: 10, ground }
    heard.take(news({ entries: [entry(11, 'b'), entry(12, 'b')] }))
    heard.take(news({ term: 4, master: 'n', prev: 10, entries: [entry(11)] }))
    t.strictSame([heard.floor, heard.end, heard.fresh], [10, 11, null])
    t.equal(tellableAt(kept, heard, ASK), 'unproved')
    heard.take(news({ prev: 12, entries: [entry(13, 'b')] }))
    t.equal(heard.end, 11, 'the former master is not heard any more')
    heard.take(news({ term: 5, master: 'm', prev: 12 }))
    t.equal(tellableAt(kept, heard, ASK), 'unheard')
  }
)

t.test('a second master of the same term is of another cluster', async t => {
  const { heard } = listening()
  heard.take(news({ master: 'x', prev: 50 }))
  t.equal(heard.end, 10)
})

t.test('a session is told what it has seen, or nothing', async t => {
  const { heard, ground } = listening()
  heard.take(news({ entries: [entry(11, 'b'), entry(12, 'b')], commitIndex: 11 }))
  const kept = { index: 10, ground }
  t.equal(tellableAt(kept, heard, { ...ASK, minIndex: 11 }), 11)
  t.equal(tellableAt(kept, heard, { ...ASK, minIndex: 12 }), 'behind', '12 may come otherwise')
  const newer = { index: 12, ground }
  t.equal(tellableAt(newer, heard, { ...ASK, minIndex: 12 }), 12)
})

t.test('what is forgotten does not come back', async t => {
  const { heard, ground } = listening()
  heard.forget()
  t.equal(tellableAt({ index: 10, ground }, heard, ASK), 'unheard')
  t.equal(tellableAt({ index: 11, ground: { ...ground, index: 11 } }, heard, ASK), 'unheard')
})

t.test('tables are remembered in bounded memory', async t => {
  const { heard, ground } = listening()
  for (let i = 0; i < 30; i++) {
    const names = Array.from({ length: 1_000 }, (_, j) => `t${i * 1_000 + j}`)
    heard.take(news({ prev: 10 + i, entries: [entry(11 + i, ...names)] }))
  }
  t.equal(tellableAt({ index: 40, ground: { ...ground, index: 40 } }, heard, ASK), 'unheard')
  t.ok(heard.floor > 20)
})
