import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { MigrationError, nextMigration, readMigrations, statementsOf } from './migrations.ts'

const file = (number: number, digest: string) => ({
  number,
  name: `00${number}-x.sql`,
  digest,
  statements: []
})

t.test('a statement ends where a semicolon ends a line', async t => {
  const text = "-- why\ncreate table a (b text default ';');\n\ncreate index on a (b);  \n-- end\n"
  t.strictSame(statementsOf(text), [
    "-- why\ncreate table a (b text default ';')",
    'create index on a (b)'
  ])
})

t.test('the first file that was not applied is next', async t => {
  const files = [file(1, 'a'), file(2, 'b')]
  t.equal(nextMigration(files, []), files[0])
  t.equal(nextMigration(files, files.slice(0, 1)), files[1])
  t.equal(nextMigration(files, files), undefined)
})

t.test('a file that differs from what was applied stops the service', async t => {
  t.throws(() => nextMigration([file(1, 'a')], [file(1, 'b')]), {
    name: 'MigrationError',
    message: 'migration 001-x.sql differs from what was applied'
  })
})

t.test('a file that was applied and is missing stops the service', async t => {
  t.throws(() => nextMigration([file(1, 'a')], [file(1, 'a'), file(2, 'b')]), MigrationError)
})

t.test('files are read in order, and line ends do not matter', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'convoy-migrations-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, '002-b.sql'), 'create table b (id int primary key);\r\n')
  await writeFile(join(folder, '001-a.sql'), 'create table a (id int primary key);\n')
  const [first, second] = await readMigrations(folder)
  t.equal(first?.name, '001-a.sql')
  t.strictSame(second?.statements, ['create table b (id int primary key)'])
  await writeFile(join(folder, '002-b.sql'), 'create table b (id int primary key);\n')
  t.equal((await readMigrations(folder))[1]?.digest, second?.digest)
})

t.test('a gap in the numbers is refused', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'convoy-migrations-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, '002-b.sql'), '')
  await t.rejects(readMigrations(folder), MigrationError)
})
