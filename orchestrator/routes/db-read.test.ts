/**
 * Reads that are told from what an orchestrator keeps, as the route sees them.
 */
import t from 'tap'
import { openLog } from '../../platform/log.ts'
import { openAdmission } from '../admission/admission.ts'
import { openParser } from '../admission/parser.ts'
import { Cache } from '../cache/cache.ts'
import { reader } from './db-read.ts'

const LONG_MS = 1e6
const MASTER = { term: 1, master: 'm' }

t.test('what is told from the cache counts for the scaling policies like any read', async t => {
  let counted = 0
  let asked = 0
  const body = Buffer.from('{"index":10,"workerId":"w","fields":[],"rows":[]}')
  const read = async () => {
    asked += 1
    return { status: 200, body }
  }
  const cache = new Cache({
    ...{ orchestratorId: 'o', dispatch: { link: undefined, read }, maxBytes: 1e6 },
    ...{ maxAgeMs: LONG_MS, log: openLog({ service: 'test', level: 'silent' }) }
  })
  t.teardown(() => cache[Symbol.dispose]())
  const { heard, statements, counts } = cache.reads
  heard.take({ ...MASTER, prev: 10, commitIndex: 10, entries: [] })
  heard.prove({ ...MASTER, askedMs: performance.now(), index: 10 })
  const admission = openAdmission(await openParser())
  const onRead = () => {
    counted += 1
  }
  const ask = reader({ admission, dispatch: cache, deadlineMs: LONG_MS, onRead })
  for (let n = 0; n < 10; n++) {
    await ask(
      { sql: 'select * from a where id = $1', params: [1] },
      { client: 'c', requestId: 'r' }
    )
    for (const one of statements.takeWanted()) {
      statements.learn(one, { index: 10, tables: ['a'], instants: [] })
    }
  }
  t.strictSame({ hits: counts.hit, asked, counted }, { hits: 7, asked: 3, counted: 10 })
})
