import t from 'tap'
import { isOfServer, verdictOf } from './sql-error.ts'
import type { SqlError } from './steps.ts'

const error = (sqlstate: string, message = '', severity = 'ERROR'): SqlError => ({
  ...{ sqlstate, message, severity },
  ...{ position: undefined, constraint: undefined, hint: undefined }
})

t.test('what ended a session, or names damaged data, is of the server', async t => {
  const bad = [
    error('57P01', 'terminating connection', 'FATAL'),
    error('XX000', 'could not write the checkpoint', 'PANIC'),
    error('XX001', 'invalid page in block 0 of relation base/5/16384'),
    error('XX002', 'index "i" contains unexpected zero page'),
    error('58030', 'could not read block 0 in file "base/5/16384": Input/output error'),
    error('58P01', 'could not open file "base/5/16384": No such file or directory'),
    error('53100', 'could not extend file "base/5/16384": No space left on device')
  ]
  for (const one of bad) t.equal(verdictOf(one), 'server', one.message)
})

t.test('what a mere statement can bring about as well is doubtful', async t => {
  const doubtful = [
    error('XX000', 'cache lookup failed for relation 1'),
    error('58P01', 'could not read symbolic link "pg_tblspc/7": No such file or directory'),
    error('F0000', 'could not open dictionary file'),
    error('53000', 'out of file descriptors'),
    error('57000', 'operator intervention'),
    error('08000', 'connection exception')
  ]
  for (const one of doubtful) t.equal(verdictOf(one), 'doubtful', one.message)
})

t.test('all else is of the statement, its timeouts and its memory too', async t => {
  const states = '22012 23505 25P02 42P01 53200 53400 54001 55P03 57014 08P01 0A000 40001'
  for (const state of states.split(' ')) t.equal(verdictOf(error(state)), 'statement', state)
  const temporary = 'could not write to file "base/pgsql_tmp/pgsql_tmp7.0": No space left on device'
  t.equal(verdictOf(error('53100', temporary)), 'statement')
})

t.test(
  'where no client asked for the statement, lack of room or time is of the server',
  async t => {
    for (const state of ['53200', '53100', '57014', 'XX000']) t.ok(isOfServer(error(state)), state)
    for (const state of ['23505', '42P01', '22P02']) t.notOk(isOfServer(error(state)), state)
  }
)
