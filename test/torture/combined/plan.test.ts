import t from 'tap'
import { Dice } from '../../simulator/random.ts'
import { drawRounds, KINDS, type Kind, type Planned, textOf } from './plan.ts'

const rounds = (seed: number, { count = 200, kinds = KINDS as readonly Kind[] } = {}) =>
  drawRounds(kinds, new Dice(seed)).take(count).toArray()

t.test('a seed draws the same rounds again, and another one others', async t => {
  t.strictSame(rounds(7), rounds(7))
  t.strictNotSame(rounds(7), rounds(8))
})

t.test('each round has two or three faults, at different victims', async t => {
  for (const round of rounds(1)) {
    t.ok(round.length === 2 || round.length === 3, round.map(textOf).join(', '))
    const victims = round.filter(({ of }) => of !== 'load').map(({ of }) => of)
    t.equal(new Set(victims).size, victims.length, victims.join(', '))
  }
})

t.test('every process is stopped, for 1 to 40 s, before any is stopped again', async t => {
  const paused = rounds(3, { kinds: ['pause'], count: 20 }).flat()
  const first = paused.slice(0, 12).map(({ of }) => of)
  t.equal(new Set(first).size, 12)
  for (const { lastsMs } of paused) t.ok(lastsMs >= 1_000 && lastsMs <= 40_000)
})

t.test('all kinds come in half an hour, and with each of their victims', async t => {
  const names = (planned: readonly Planned[]) =>
    new Set(planned.map(({ kind, of }) => `${kind} ${of}`))
  t.strictSame(names(rounds(4, { count: 40 }).flat()), names(rounds(5, { count: 400 }).flat()))
})

t.test('at most one fault of a round takes data away, and not while all workers die', async t => {
  for (const round of rounds(6, { count: 1_000 })) {
    const lost = round.filter(({ kind }) => kind === 'lose')
    t.ok(lost.length <= 1)
    if (lost.length === 1) t.notOk(round.some(({ of }) => of === 'all workers'))
    t.ok(lost.every(({ afterMs }) => afterMs === 0))
  }
})

t.test('a clock jumps beyond each time that is kept, forwards and backwards', async t => {
  const jumps = rounds(9, { kinds: ['clock'] }).flatMap(round => round.map(one => one.jumpS ?? 0))
  t.ok(Math.min(...jumps) < -86_400 && Math.max(...jumps) > 10 * 86_400)
})
