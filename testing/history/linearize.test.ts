import t from 'tap'
import { Dice } from '../random.ts'
import type { Action, Operation } from './history.ts'
import { linearize, type Machine } from './linearize.ts'
import { change, read } from './made.ts'

const REGISTER: Machine<number | null> = {
  initial: null,
  next(value, operation) {
    if (operation.kind === 'read') return operation.value === value ? value : undefined
    const { action } = operation
    if (action.do === 'write') return action.value
    return action.do === 'swap' && action.from === value ? action.to : undefined
  }
}

/** Every order of every choice of unknown ones, tried by hand: slow, and plainly right. */
function isLinearizable(rest: readonly Operation[], value: number | null = null): boolean {
  if (rest.every(({ outcome }) => outcome === 'unknown')) return true
  const firstEndMs = Math.min(...rest.map(({ endMs }) => endMs))
  return rest.some(operation => {
    if (operation.beginMs > firstEndMs) return false
    const after = REGISTER.next(value, operation)
    const others = rest.filter(other => other !== operation)
    return after !== undefined && isLinearizable(others, after)
  })
}

/** Mostly overlapping, of few values, so that about half of the histories are linearizable. */
function drawn(dice: Dice): Operation[] {
  return Array.from({ length: dice.between(3, 7) }, (_, i): Operation => {
    const beginMs = dice.between(0, 12)
    const times = [beginMs, beginMs + dice.between(1, 6)] as const
    const index = dice.chance(0.5) ? dice.between(1, 9) : null
    if (dice.chance(0.4)) return read(times, 'register', dice.between(1, 2), { index })
    const to = dice.between(1, 2)
    const from = dice.pick([null, 1, 2]) ?? null
    const action: Action = dice.chance(0.5) ? { do: 'write', value: to } : { do: 'swap', from, to }
    const requestId = `r${i}`
    if (dice.chance(0.7)) return change(times, action, { requestId, index })
    return { ...change(times, action, { requestId, outcome: 'unknown' }), endMs: Infinity }
  })
}

t.test('the search says of any small history what trying every order says', async t => {
  const dice = new Dice(1)
  let sound = 0
  const DRAWN = 5_000
  for (let i = 0; i < DRAWN; i++) {
    const history = drawn(dice)
    const expected = isLinearizable(history)
    if (expected) sound += 1
    const found = linearize(history, REGISTER).kind
    if ((found === 'linearizable') !== expected) t.fail(`${found}: ${JSON.stringify(history)}`)
  }
  t.ok(sound > DRAWN / 10 && sound < (DRAWN * 9) / 10, `${sound} were linearizable`)
})

t.test('many unknown changes do not make it slow where a read tells which were done', async t => {
  const history: Operation[] = []
  for (let i = 1; i <= 300; i++) {
    const swap = change([i, Infinity], { do: 'swap', from: i === 1 ? null : i - 1, to: i })
    history.push({ ...swap, outcome: 'unknown' })
    if (i % 10 === 0) history.push(read([i + 0.2, i + 0.5], 'register', i))
  }
  const beganMs = performance.now()
  t.equal(linearize(history, REGISTER).kind, 'linearizable')
  t.ok(performance.now() - beganMs < 5_000)
})
