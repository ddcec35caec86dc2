/**
 * SQL from the command line, from files, from a pipe and at the prompt, as
 * command.test.ts runs it on its system.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type CommandSystem, convoyOnTerminal, ESCAPE, linesOf } from './command.ts'

export async function runsSql(t: Test, system: CommandSystem): Promise<void> {
  const create = 'create table notes (id int primary key, body text check (body <> $$no$$))'
  const made = await system.sql([
    '-c',
    create,
    '-c',
    "insert into notes values (1, 'a;b')",
    '-c',
    'select * from notes'
  ])
  t.equal(made.code, 0, made.err)
  t.match(made.out, ' id | body\n----+------\n  1 | a;b\n(1 row)')
  t.notMatch(made.out, ESCAPE)

  const file = join(system.folder, 'notes.sql')
  writeFileSync(
    file,
    "insert into notes values (2, 'two'); -- ;\ninsert into notes\nvalues (3, 'no');\nselect 1"
  )
  const stopped = await system.sql(['-f', file])
  t.equal(stopped.code, 1)
  t.match(stopped.err, `${file}:2: `)
  t.match(stopped.err, '1 statement before it was done')
  const whole = await system.sql(['-1', '-f', file])
  t.equal(whole.code, 1)
  const piped = await system.sql(['--json'], {
    input: 'select count(*) as n from notes; select 2 as two'
  })
  t.match(linesOf(piped), [
    { kind: 'read', rows: [{ n: '2' }], fields: [{ name: 'n', type: 'int8' }] },
    { kind: 'read', rows: [{ two: 2 }] }
  ])
  writeFileSync(file, 'insert into notes values (9, $$x$$);\nselect * form notes;')
  const wrong = await system.sql(['-f', file])
  t.equal(wrong.code, 1)
  t.match(wrong.err, `${file}:2:10: syntax error`)
  const counted = await system.sql([
    '--consistency',
    'strong',
    '-c',
    'select max(id) from notes',
    '-c',
    '\\d notes'
  ])
  t.match(counted.out, '   2\n', 'nothing of a file that is no SQL was run')
  t.match(counted.out, 'notes_pkey')
}

export async function takesLines(t: Test, system: CommandSystem): Promise<void> {
  const history = join(system.folder, 'history')
  const typed =
    "select 'a;\nb' as\nquoted;\n\\timing\n\\consistency strong\nselect 7 as seven;\n\\d notes\n\\x\nselect * form x;\n\\q\n"
  const { code, out } = await convoyOnTerminal(['sql', '--folder', system.folder], {
    input: typed,
    env: { CONVOY_SQL_HISTORY: history }
  })
  t.equal(code, 0)
  for (const part of [
    'a;↵b',
    'timing is on',
    'reads are strong',
    'seven',
    'notes_pkey',
    'syntax error'
  ]) {
    t.match(out, part)
  }
  t.match(out, `${ESCAPE}[1m`, 'in colour')
  t.equal(statSync(history).mode & 0o777, 0o600)
  t.match(readFileSync(history, 'utf8'), 'select 7 as seven;')
}
