import t from 'tap'
import { Dice } from '../../../testing/random.ts'
import { drawRounds, KINDS, type Kind, type Planned } from './plan.ts'

const rounds = (seed: number, { count = 200, kinds = KINDS as readonly Kind[] } = {}) =>
  drawRounds(kinds, new Dice(seed)).take(count).toArray()

const isLoss = ({ kind }: Planned) => kind === 'lose'

t.test('a seed draws the same rounds again, and another one others', async t => {
  const text = (seed: number) => JSON.stringify(rounds(seed))
  t.equal(text(7), text(7))
  t.not(text(7), text(8))
})

t.test('each round has two or three faults, at different victims', async t => {
  const drawn = rounds(1)
  t.strictSame(new Set(drawn.map(({ length }) => length)), new Set([2, 3]))
  const twice = drawn.filter(round => {
    const victims = round.filter(({ of }) => of !== 'load').map(({ of }) => of)
    return new Set(victims).size < victims.length
  })
  t.strictSame(twice, [])
})

t.test('every process is stopped, for 1 to 40 s, before any is stopped again', async t => {
  const paused = rounds(3, { kinds: ['pause'], count: 20 }).flat()
  const first = paused.slice(0, 12).map(({ of }) => of)
  t.equal(new Set(first).size, 12)
  const [shortest, longest] = [Math.min, Math.max].map(of => of(...paused.map(one => one.lastsMs)))
  t.ok(Number(shortest) >= 1_000 && Number(longest) <= 40_000)
})

t.test('all kinds come in half an hour, and with each of their victims', async t => {
  const names = (planned: readonly Planned[]) =>
    new Set(planned.map(({ kind, of }) => `${kind} ${of}`))
  t.strictSame(names(rounds(4, { count: 40 }).flat()), names(rounds(5, { count: 400 }).flat()))
})

t.test('at most one fault of a round takes data away, and not while all workers die', async t => {
  const losing = rounds(6, { count: 1_000 }).filter(round => round.some(isLoss))
  t.ok(losing.length > 10)
  const deadly = losing.filter(
    round => round.filter(isLoss).length > 1 || round.some(({ of }) => of === 'all workers')
  )
  t.strictSame(deadly, [])
  t.strictSame(
    new Set(
      losing
        .flat()
        .filter(isLoss)
        .map(one => one.afterMs)
    ),
    new Set([0])
  )
})

t.test('a clock jumps beyond each time that is kept, forwards and backwards', async t => {
  const jumps = rounds(9, { kinds: ['clock'] }).flatMap(round => round.map(one => one.jumpS ?? 0))
  t.ok(Math.min(...jumps) < -86_400 && Math.max(...jumps) > 10 * 86_400)
})
