/**
 * The scrub on a real database: sound pages are never called damaged, whatever is written
 * meanwhile; a damaged page and a damaged log entry are found.
 */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { openLog } from '../../platform/log.ts'
import { below, command, ddl, startWorker } from '../../testing/fixtures/postgres.ts'
import { dataDirOf } from '../postgres/server.ts'
import { readPages } from './pages.ts'
import { Scrub } from './scrub.ts'

const FAST = 100 * 1024 * 1024
const LOG = openLog({ service: 'test', level: 'silent' })

async function allOf(dataDir: string) {
  let pages = 0
  const damaged: string[] = []
  for await (const piece of readPages(dataDir, FAST)) {
    pages += piece.pages
    damaged.push(...piece.damaged)
  }
  return { pages, damaged }
}

async function until(is: () => boolean): Promise<void> {
  for (let waited = 0; !is(); waited++) {
    if (waited > 600) throw new Error('it did not come')
    await sleep(50)
  }
}

t.test('sound pages are sound while they are written, and a damaged one is found', async t => {
  const { dir, server, store } = await startWorker(t)
  const dataDir = dataDirOf(dir)
  await store.beginTerm(1)
  await store.execute([ddl('create table a (n int primary key, v text)')], 1)
  const fill = "insert into a select n, repeat('x', 500) from generate_series(1, 5000) n"
  await store.execute([command([fill])], 1)
  let over = false
  const writing = (async () => {
    for (let i = 0; !over; i++) {
      await store.execute([command([`update a set v = v || ${i} where n % 5 = ${i % 5}`])], 1)
      if (i % 3 === 0) await below(server, 'checkpoint')
    }
  })()
  for (let i = 0; i < 3; i++) {
    const { pages, damaged } = await allOf(dataDir)
    t.ok(pages > 2_000, `${pages} pages`)
    t.strictSame(damaged, [])
  }
  over = true
  await writing
  await below(server, 'checkpoint')
  const path = await below(server, `select pg_relation_filepath('a')`)
  const file = await open(join(dataDir, path), 'r+')
  await file.write(Buffer.from('damage'), 0, 6, 7 * 8_192 + 5_000)
  await file.close()
  t.strictSame((await allOf(dataDir)).damaged, [`page 7 of ${path}`])
})

t.test('what is found is told, and how far it has come', async t => {
  const { dir, server, store } = await startWorker(t)
  await store.beginTerm(1)
  await store.execute([ddl('create table a (n int primary key)')], 1)
  const inserts = Array.from({ length: 700 }, (_, n) => command([`insert into a values (${n})`]))
  await store.execute(inserts, 1)
  using scrub = new Scrub({ store, dataDir: dataDirOf(dir), bytesPerS: FAST, log: LOG })
  await until(() => scrub.now?.entries.passAt != null && scrub.now.pages.passAt !== null)
  t.strictSame(scrub.now?.damage, [])
  t.ok(scrub.totals.entries >= 702 && scrub.totals.pages > 1_000)
  await below(server, `update convoy.log set result = '[9]' where index = 300`)
  await until(() => scrub.now?.damage.length === 1)
  t.strictSame(scrub.now?.damage, ['log entry 300 is not what its checksum says'])
  using off = new Scrub({ store, dataDir: dataDirOf(dir), bytesPerS: 0, log: LOG })
  t.equal(off.now, null)
})
