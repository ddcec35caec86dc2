import t from 'tap'
import { admits, afterFailure, afterNothing, afterSend, type Circuit, CLOSED } from './circuit.ts'

const failed = (times: number, nowMs = 1_000, from: Circuit = CLOSED) => {
  let circuit = from
  for (let i = 0; i < times; i++) circuit = afterFailure(circuit, nowMs)
  return circuit
}

t.test('an instance is left alone after three failures in a row', async t => {
  t.equal(admits(failed(2), 1_000), true)
  t.equal(admits(failed(3), 1_000), false)
})

t.test('after a while one request finds out, and nobody else meanwhile', async t => {
  const open = failed(3)
  t.equal(admits(open, 1_249), false)
  t.equal(admits(open, 1_250), true)
  t.equal(admits(afterSend(open), 1_250), false)
})

t.test('a probe that fails doubles the time, up to four seconds', async t => {
  let circuit = failed(3)
  for (const openMs of [500, 1_000, 2_000, 4_000, 4_000]) {
    circuit = afterFailure(afterSend(circuit), 10_000)
    t.equal(admits(circuit, 10_000 + openMs - 1), false)
    t.equal(admits(circuit, 10_000 + openMs), true)
  }
})

t.test('failures of requests that were sent before do not prolong it', async t => {
  const open = failed(3, 1_000)
  t.strictSame(failed(20, 1_200, open), open)
})

t.test('a probe that came to nothing is made again at once', async t => {
  const probing = afterSend(failed(3))
  t.equal(admits(probing, 2_000), false)
  t.equal(admits(afterNothing(probing, 2_000), 2_000), true)
  t.strictSame(afterNothing(CLOSED, 2_000), CLOSED)
})
