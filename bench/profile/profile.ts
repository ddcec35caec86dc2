/**
 * `--profile`: where the time goes. For each workload and contestant one run at the
 * most connections, with CPU time per request of every process, and the functions that
 * took most of it in the Node processes.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Measurement, measure, type Run } from '../measure.ts'
import type { Plan } from '../rounds.ts'
import { startProfile, written } from './inspect.ts'
import { cpuTimes, type Processes } from './processes.ts'
import { type CpuProfile, selfTimes } from './self-times.ts'

export interface ProfileOptions {
  /** Where the `.cpuprofile` files go. */
  readonly dir: string
  readonly plan: Plan
  readonly stopped: AbortSignal
}

const CHECKOUT = join(import.meta.dirname, '../..')
/** Not Node: they know no inspector. */
const FOREIGN = new Set(['rabbitmq', 'zookeeper'])
const TOP = 12
/** The profile ends a little before the load does. */
const TAIL_S = 0.3

export async function profileAll({ dir, plan, stopped }: ProfileOptions): Promise<void> {
  mkdirSync(dir, { recursive: true })
  const connections = Math.max(...plan.connections)
  for (const workload of plan.workloads) {
    for (const contestant of plan.contestants) {
      const run = { contestant, workload, connections, seconds: plan.seconds, seed: 1 }
      const processes = await contestant.processes()
      printBudget(run, await budgetOf(run, { processes, stopped }))
      await printProfiles(run, { processes, stopped, dir })
    }
  }
}

interface Budget {
  readonly measured: Measurement
  /** Microseconds of CPU per request, by process. */
  readonly cpuUs: ReadonlyMap<string, number>
}

/** Without profiles, which take CPU themselves. */
async function budgetOf(
  run: Run,
  { processes, stopped }: { readonly processes: Processes; readonly stopped: AbortSignal }
): Promise<Budget> {
  const all = new Map([...processes, ['load (autocannon)', process.pid]])
  const before = cpuTimes(all)
  const measured = await measure(run, stopped)
  const after = cpuTimes(all)
  const perRequest = ([name, ms]: [string, number]): [string, number] => [
    name,
    ((ms - (before.get(name) ?? 0)) * 1_000) / measured.requests
  ]
  return { measured, cpuUs: new Map([...after].map(perRequest)) }
}

function printBudget(run: Run, { measured, cpuUs }: Budget): void {
  const { contestant, workload, connections } = run
  const rate = `${Math.round(measured.perS)} requests/s, ${connections} connections`
  console.log(`\n=== ${contestant.name}: ${workload.title} (${rate}, ${measured.failed} failed)`)
  const total = [...cpuUs.values()].reduce((sum, us) => sum + us, 0)
  const rows = [...cpuUs]
    .filter(([, us]) => us >= 0.5)
    .sort(([, a], [, b]) => b - a)
    .map(([name, us]) => ({
      process: name,
      'CPU us per request': Math.round(us),
      share: `${Math.round((100 * us) / total)} %`
    }))
  console.table(rows)
}

async function printProfiles(
  run: Run,
  {
    processes,
    stopped,
    dir
  }: { readonly processes: Processes; readonly stopped: AbortSignal; readonly dir: string }
): Promise<void> {
  const { contestant, workload, seconds } = run
  const files = [...processes.keys()]
    .filter(name => !FOREIGN.has(name))
    .map(name => {
      const file = `${contestant.name}-${workload.name}-${name.replace(' ', '-')}.cpuprofile`
      return { name, pid: processes.get(name) ?? 0, file: join(dir, file) }
    })
  // One after the other, so they end one after the other; all within the load.
  const startedMs = performance.now()
  const load = measure({ ...run, seconds: seconds + files.length * TAIL_S }, stopped)
  load.catch(() => undefined)
  for (const { pid, file } of files) {
    await startProfile(pid, { seconds: seconds - TAIL_S, file })
  }
  const lateS = (performance.now() - startedMs) / 1_000 - files.length * TAIL_S
  if (lateS > 0) console.log(`(profiles end ${lateS.toFixed(1)} s after the load)`)
  await load
  for (const { name, file } of files) {
    await written(file)
    printTop(`${contestant.name} ${name}, ${workload.name}`, file)
  }
}

function printTop(title: string, file: string): void {
  const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile
  const { busy, top } = selfTimes(profile, { count: TOP, checkout: CHECKOUT })
  console.log(`\n${title}: busy ${Math.round(100 * busy)} % of the time; of that`)
  for (const { name, place, share } of top) {
    console.log(`  ${(100 * share).toFixed(1).padStart(5)} %  ${name}  ${place}`)
  }
}
