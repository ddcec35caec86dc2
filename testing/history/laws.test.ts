import t from 'tap'
import { Dice } from '../random.ts'
import { generate, PROMISES } from './generate.ts'
import type { Change, History, Operation, Read } from './history.ts'
import { checkHistory, problemsIn, told } from './laws.ts'

const SEEDS = 300
const histories = Array.from({ length: SEEDS }, (_, seed) =>
  generate({ seed, operations: 120, processes: 5, keys: 2 })
)

t.test('what a perfect database answers breaks no law', async t => {
  for (const history of histories) {
    const problem = checkHistory(history, PROMISES)
    if (problem !== null) t.fail(told(problem))
  }
})

/** A history that breaks one law, made of one that breaks none; null where it has nothing to break. */
type Damage = (history: History, dice: Dice) => History | null

function replace<T extends Operation>(
  which: (operation: Operation, history: History) => operation is T,
  damaged: (operation: T, history: History, dice: Dice) => Operation | Operation[] | null
): Damage {
  return (history, dice) => {
    const victim = dice.pick(history.filter(operation => which(operation, history)))
    if (victim === undefined) return null
    const others = history.filter(operation => operation !== victim)
    const instead = damaged(victim as T, history, dice)
    return instead === null ? null : [...others, ...[instead].flat()]
  }
}

const isRead =
  (model: Read['model'], ...levels: Read['consistency'][]) =>
  (operation: Operation): operation is Read =>
    operation.kind === 'read' &&
    operation.model === model &&
    (levels.length === 0 || levels.includes(operation.consistency))

const isChange =
  (model: Change['model'], ...outcomes: Change['outcome'][]) =>
  (operation: Operation): operation is Change =>
    operation.kind === 'change' &&
    operation.model === model &&
    (outcomes.length === 0 || outcomes.includes(operation.outcome))

const elements = (read: Read): readonly number[] => (Array.isArray(read.value) ? read.value : [])

const elementOf = ({ action }: Change): number => ('element' in action ? action.element : -1)

/** What was acknowledged to anybody before the read began, or to its own process if `own`. */
function toldBefore(read: Read, history: History, own = false): Change[] {
  return history.filter(isChange(read.model, 'ok')).filter(one => {
    if (one.key !== read.key || one.endMs >= read.beginMs) return false
    return !own || (one.process === read.process && (one.index ?? 0) <= (read.minIndex ?? 0))
  })
}

const without = (read: Read, gone: Change | undefined): Read | null =>
  gone === undefined
    ? null
    : { ...read, value: elements(read).filter(one => one !== elementOf(gone)) }

const isShown = (change: Change, history: History): boolean =>
  history.some(
    other =>
      other.kind === 'read' &&
      other.model === change.model &&
      other.key === change.key &&
      elements(other).includes(elementOf(change))
  )

const failing = (change: Change, history: History): Operation | null =>
  isShown(change, history) ? { ...change, outcome: 'failed' } : null

/** By the law that is broken, and how. */
const DAMAGES: Record<string, Damage> = {
  'register: shows what was never written': replace(isRead('register', 'strong'), read => {
    return { ...read, value: 99 }
  }),
  'register: a swap is done that did not find its value': replace(
    isChange('register', 'rejected'),
    swap => ({ ...swap, outcome: 'ok', action: { do: 'swap', from: 77, to: 1 } })
  ),
  'set: loses an element': replace(isRead('set', 'strong'), (read, history, dice) =>
    without(read, dice.pick(toldBefore(read, history)))
  ),
  'set: holds an element twice': replace(isRead('set'), (read, _history, dice) => {
    const double = dice.pick(elements(read))
    return double === undefined ? null : { ...read, value: [...elements(read), double] }
  }),
  'set: holds what nobody inserted': replace(isRead('set'), read => {
    return { ...read, value: [...elements(read), 9_999] }
  }),
  'set: holds what failed for certain': replace(isChange('set', 'ok'), failing),
  'sequential: holds the later and not the earlier': replace(isRead('set'), (read, history) => {
    const ends = toldBefore(read, history).filter(one => elements(read).includes(elementOf(one)))
    const [first] = ends.sort((a, b) => a.endMs - b.endMs)
    return first && ends.some(({ beginMs }) => beginMs > first.endMs) ? without(read, first) : null
  }),
  'list: changes its order': replace(isRead('list', 'strong'), read =>
    elements(read).length < 5 ? null : { ...read, value: elements(read).toReversed() }
  ),
  'list: loses its end': replace(isRead('list', 'strong'), (read, history) => {
    const last = toldBefore(read, history).find(one => elementOf(one) === elements(read).at(-1))
    return without(read, last)
  }),
  'list: holds what failed for certain': replace(isChange('list', 'ok'), failing),
  'bank: a transfer is seen by half': replace(isRead('bank'), read => {
    return { ...read, value: elements(read).map((balance, i) => balance + (i === 0 ? 1 : 0)) }
  }),
  'bank: an account is overdrawn': replace(isRead('bank'), read => {
    return { ...read, value: elements(read).map((balance, i) => balance + ([-50, 50][i] ?? 0)) }
  }),
  'counter: counts what nobody added': replace(isRead('counter'), read => {
    return { ...read, value: 10_000 }
  }),
  'counter: forgets': replace(isRead('counter', 'strong'), (read, history) =>
    toldBefore(read, history).length === 0 ? null : { ...read, value: 0 }
  ),
  'session: goes back': replace(isRead('set', 'session'), read =>
    (read.minIndex ?? 0) > 0 ? { ...read, index: (read.minIndex ?? 0) - 1 } : null
  ),
  'session: does not see its own write': replace(
    (one): one is Read => isRead('set', 'session')(one) || isRead('list', 'session')(one),
    (read, history, dice) => without(read, dice.pick(toldBefore(read, history, true)))
  ),
  'age: a strong read is old': replace(isRead('counter', 'strong'), (read, history) => {
    const told = history.filter(({ outcome, endMs }) => outcome === 'ok' && endMs < read.beginMs)
    const newest = Math.max(0, ...told.map(({ index }) => index ?? 0))
    return newest === 0 ? null : { ...read, index: newest - 1 }
  }),
  'age: a replica read is too old': replace(isRead('bank', 'replica'), (read, history) => {
    const horizonMs = read.beginMs - PROMISES.maxReadAgeMs
    const told = history.filter(({ outcome, endMs }) => outcome === 'ok' && endMs < horizonMs)
    const newest = Math.max(0, ...told.map(({ index }) => index ?? 0))
    return newest === 0 ? null : { ...read, index: newest - 1 }
  }),
  'outcomes: one command is told as done and as failed': replace(isChange('bank', 'ok'), one => [
    one,
    { ...one, outcome: 'failed', index: null }
  ]),
  'outcomes: one command is done at two places': replace(isChange('bank', 'ok'), one => [
    one,
    { ...one, index: (one.index ?? 0) + 1 }
  ]),
  'places: two commands have one': (history, dice) => {
    const changes = history.filter(isChange('counter', 'ok'))
    const [one, other] = [dice.pick(changes), dice.pick(changes)]
    if (one === undefined || other === undefined || one === other) return null
    return [...history.filter(each => each !== one), { ...one, index: other.index }]
  },
  'places: a later command has an earlier one': (history, dice) => {
    const changes = history.filter(isChange('counter', 'ok'))
    const [one, other] = [dice.pick(changes), dice.pick(changes)]
    if (one === undefined || other === undefined || one.endMs >= other.beginMs) return null
    const others = history.filter(each => each !== one && each !== other)
    return [...others, { ...one, index: other.index }, { ...other, index: one.index }]
  },
  'places: a read shows what is behind its index': replace(isRead('list'), (read, history) => {
    const first = history.find(
      one => isChange('list', 'ok')(one) && elementOf(one) === elements(read)[0]
    )
    return first?.index ? { ...read, index: first.index - 1 } : null
  })
}

for (const [name, damage] of Object.entries(DAMAGES)) {
  const [law] = name.split(':')
  t.test(`the law is seen broken where ${name}`, async t => {
    let damaged = 0
    for (const [seed, history] of histories.entries()) {
      const broken = damage(history, new Dice(seed))
      if (broken === null) continue
      damaged += 1
      const seen = [...problemsIn(broken, PROMISES)].map(problem => problem.law)
      if (!seen.includes(`${law}`)) t.fail(`not in seed ${seed}, only ${seen}`)
    }
    t.ok(damaged > SEEDS / 10, `${damaged} histories were damaged`)
  })
}

t.test('a long history is checked in seconds', async t => {
  const history = generate({ seed: 1, operations: 100_000, processes: 64, keys: 40 })
  const beganMs = performance.now()
  t.equal(checkHistory(history, PROMISES), null)
  t.ok(performance.now() - beganMs < 20_000, 'about one second on a free core')
})

t.test('a problem is told with the operations that show it', async t => {
  const history = histories[0]!
  const read = history.find(isRead('bank'))!
  const problem = checkHistory([...history, { ...read, value: [1] }], PROMISES)!
  t.match(told(problem), /^places: two reads at one index differ\n {2}\d+\.\d to .* bank b\d /)
})
