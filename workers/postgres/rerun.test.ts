import t from 'tap'
import type { WriteCommand } from '../../wire/requests.ts'
import type { Entry } from '../entry.ts'
import type { Executed } from '../store.ts'
import { Rerun } from './rerun.ts'

const write = (requestId: string, sql = `insert ${requestId}`): WriteCommand =>
  ({ requestId, statements: [{ sql }], mayRepeat: false }) as unknown as WriteCommand
const entry = (requestId: string, index: number) => ({ requestId, index }) as Entry
const done = (requestId: string, index: number): Executed => ({
  kind: 'entry',
  entry: entry(requestId, index)
})
const ids = (commands: readonly WriteCommand[]) => commands.map(({ requestId }) => requestId)
const NONE = { kind: 'none' } as const
const CRASHED = { kind: 'crashed' } as const

t.test('what was committed is not executed again, and outcomes keep their order', async t => {
  const [a, b, c, again] = [write('a'), write('b'), write('c'), write('a')]
  const rerun = new Rerun([a, b, c, again])
  t.strictSame(rerun.rest, [a, b, c, again])
  rerun.restarted({ entries: [entry('a', 7), entry('b', 8)], running: [c], blame: NONE })
  t.strictSame(ids(rerun.rest), ['c', 'a'])
  t.equal(rerun.mayRepeat, true)
  t.equal(rerun.rest[0], c, 'the same object')
  const repeat = { kind: 'repeat', index: 7, term: 1, status: 200, result: '[]' } as const
  t.strictSame(rerun.all([done('c', 9), repeat]), [
    done('a', 7),
    done('b', 8),
    done('c', 9),
    repeat
  ])
})

t.test('a restart for another reason makes nobody a suspect', async t => {
  const commands = [write('a'), write('b')]
  const rerun = new Rerun(commands)
  for (let i = 0; i < 5; i++) rerun.restarted({ entries: [], running: commands, blame: NONE })
  t.equal(rerun.alone.size, 0)
  t.equal(rerun.settled.size, 0)
})

t.test('a crash gives each that ran one more try, alone', async t => {
  const commands = [write('a'), write('b')]
  const rerun = new Rerun(commands)
  rerun.restarted({ entries: [], running: commands, blame: CRASHED })
  t.strictSame([...rerun.alone], ['a', 'b'])
  t.equal(rerun.settled.size, 0)
  rerun.restarted({ entries: [entry('a', 1)], running: [write('b')], blame: CRASHED })
  t.strictSame([...rerun.settled.keys()], ['b'])
})

t.test('a command whose commit got through before the crash is no suspect', async t => {
  const rerun = new Rerun([write('a')])
  rerun.restarted({ entries: [], running: [write('a')], blame: CRASHED })
  rerun.restarted({ entries: [entry('a', 1)], running: [write('a')], blame: CRASHED })
  t.equal(rerun.settled.size, 0)
  t.strictSame(rerun.all([]), [done('a', 1)])
})

t.test('who was killed for a statement is refused, if only one can have run it', async t => {
  const commands = [write('a'), write('b', 'endless'), write('c')]
  const blame = { kind: 'killed', query: 'endless' } as const
  const rerun = new Rerun(commands)
  rerun.restarted({ entries: [], running: commands, blame })
  t.strictSame([...rerun.settled.keys()], ['b'])
  const twice = [write('a'), write('b', 'endless'), write('c', 'endless')]
  const unsure = new Rerun(twice)
  unsure.restarted({ entries: [], running: twice, blame })
  t.strictSame([...unsure.alone], ['b', 'c'])
  t.equal(unsure.settled.size, 0)
  unsure.restarted({ entries: [], running: [write('c', 'endless')], blame })
  t.strictSame([...unsure.settled.keys()], ['c'])
})

t.test('a long text is known by what PostgreSQL shows of it', async t => {
  const long = `select '${'é'.repeat(2_000)}'`
  const shown = Buffer.from(long)
    .subarray(0, 1_022)
    .toString('utf8')
    .replace(/\uFFFD$/, '')
  const rerun = new Rerun([write('a', long), write('b', 'select 1')])
  const blame = { kind: 'killed', query: shown } as const
  rerun.restarted({ entries: [], running: [write('a', long), write('b', 'select 1')], blame })
  t.strictSame([...rerun.settled.keys()], ['a'])
})
