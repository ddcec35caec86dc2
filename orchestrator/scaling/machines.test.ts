import t from 'tap'
import type { WorkerNode } from '../../wire/znodes.ts'
import { coresOf } from './machines.ts'

const on = (id: string | null, cpuPercent: number, idleCores = 0) => {
  const machine = id === null ? {} : { machine: { id, cores: 4, idleCores } }
  const figures = { applied: 0, readsPerS: 0, cpuPercent, memoryMiB: 0, ...machine }
  return { figures } as unknown as WorkerNode
}
const of = (...nodes: WorkerNode[]) =>
  coresOf({ workers: new Map(nodes.map((node, i) => [String(i), node])) })

t.test('a machine counts once, however many workers run on it', async t => {
  t.strictSame(of(on('a', 10, 3), on('a', 10, 3), on('b', 0, 1)), { cores: 8, idleCores: 3 })
})

t.test('a limit on the CPU of this system counts, though the machine has more', async t => {
  t.strictSame(of(on('a', 200, 4), on('a', 150, 4)), { cores: 4, idleCores: 0.5 })
})

t.test('nothing is known to be idle where no worker tells', async t => {
  t.strictSame(of(on(null, 10)), { cores: 0, idleCores: 0 })
})
