import t from 'tap'
import { worker } from '../../testing/fixtures/protocol.ts'
import { barrierFor, isAhead, isLeftOver, isSuspect, mayLeave, toldAt } from './answers.ts'
import { lead } from './lead.ts'
import { viewOf } from './view.ts'

const view = { ...viewOf(worker(), 0), commitIndex: 5, passedBarrier: 3 }

t.test('an answer leaves when what it shows is committed', async t => {
  t.strictSame([mayLeave({ index: 5 }, view), mayLeave({ index: 6 }, view)], [true, false])
})

t.test('a strong read waits for a barrier of its own, too', async t => {
  const barriers = [null, 4, 3].map(barrier => mayLeave({ index: 5, barrier }, view))
  t.strictSame(barriers, [false, false, true])
})

t.test('one barrier that is still to be sent serves all reads that wait', async t => {
  const { role } = lead(worker(), { term: 1, members: ['a'] }).state
  const wanted = (barriers: (number | null)[], passedBarrier = 0) =>
    barrierFor(
      barriers.map(barrier => ({ index: 1, barrier })),
      role,
      { ...view, passedBarrier }
    )
  t.equal(wanted([null, null]), 1)
  t.equal(wanted([1, null]), null, 'not while another is under way')
  t.equal(wanted([1, null], 1), 1, 'which is over when it has passed, whatever its reads wait for')
  t.equal(wanted([1]), null, 'none waits')
  const alone = barrierFor([{ index: 1, barrier: null }], worker().role, view)
  t.equal(alone, null, 'at a master alone')
})

t.test('a batch is answered when its newest entry, and all before it, is committed', async t => {
  const entry = { kind: 'entry', entry: { index: 8 } } as const
  t.equal(toldAt(6, [{ kind: 'repeat', index: 2 }, entry, { kind: 'refused' }]), 8)
  t.equal(toldAt(6, [{ kind: 'refused' }]), 6)
})

t.test('what an earlier master left is dropped, and what is new is not', async t => {
  const left = (redelivered: boolean, term: number) => isLeftOver({ redelivered, term }, 4)
  t.strictSame([left(true, 3), left(true, 4), left(false, 3)], [true, false, false])
})

t.test('a suspect is marked, or a repeat from an earlier term', async t => {
  const own = 5
  const first = {}
  const repeat = { again: true }
  const marked = { suspect: true }
  const judged = (sent: number) =>
    [first, repeat, marked].map(command => isSuspect(command, { sent, own }))
  t.strictSame(judged(4), [false, true, true])
  t.strictSame(judged(5), [false, false, true])
  t.strictSame(judged(6), [false, false, true])
})

t.test('what was sent into a later term is left to its master', async t => {
  t.strictSame(
    [4, 5, 6].map(sent => isAhead({ sent, own: 5 })),
    [false, false, true]
  )
})
