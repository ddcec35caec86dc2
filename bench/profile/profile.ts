/**
 * `--profile`: where the time goes. For each workload, number of connections and contestant
 * one run, with CPU time per request of every process, and the functions that
 * took most of it in the Node processes.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Measurement, measure, type Run } from '../measure.ts'
import { type Plan, runsOf } from '../rounds.ts'
import { beginProfiles, prepareProfile, whenWritten } from './inspect.ts'
import { cpuTimes, type Processes } from './processes.ts'
import { type CpuProfile, type FunctionTime, timesOf } from './times.ts'

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
/** Of the time; those that did less have no part in the workload. */
const BUSY_MIN = 0.03
/** The profile lies within the load. */
const MARGIN_S = 0.25

export async function profileAll({ dir, plan, stopped }: ProfileOptions): Promise<void> {
  mkdirSync(dir, { recursive: true })
  // Each once, as in the first round of a comparison.
  for (const run of runsOf({ ...plan, rounds: 1 })) {
    const processes = await run.contestant.processes()
    printBudget(run, await budgetOf(run, { processes, stopped }))
    await printProfiles(run, { processes, stopped, dir })
  }
}

export interface Budget {
  readonly measured: Measurement
  /** Microseconds of CPU per request, by process. */
  readonly cpuUs: ReadonlyMap<string, number>
}

/** Without profiles, which take CPU themselves. */
export async function budgetOf(
  run: Run,
  { processes, stopped }: { readonly processes: Processes; readonly stopped: AbortSignal }
): Promise<Budget> {
  const before = cpuTimes(processes)
  const loadBefore = process.cpuUsage()
  const measured = await measure(run, stopped)
  const load = process.cpuUsage(loadBefore)
  const used = [...cpuTimes(processes)].map(([name, ms]): [string, number] => [
    name,
    (ms - (before.get(name) ?? 0)) * 1_000
  ])
  const all: [string, number][] = [...used, ['load (autocannon)', load.user + load.system]]
  return { measured, cpuUs: new Map(all.map(([name, us]) => [name, us / measured.requests])) }
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
  known: { readonly processes: Processes; readonly stopped: AbortSignal; readonly dir: string }
): Promise<void> {
  const { contestant, workload, connections, seconds } = run
  const profiled = [...known.processes]
    .filter(([name]) => !FOREIGN.has(name))
    .map(([name, pid]) => {
      const of = [contestant.name, workload.name, connections, name.replace(' ', '-')]
      const file = `${of.join('-')}.cpuprofile`
      return { name, pid, seconds, file: join(known.dir, file) }
    })
  for (const one of profiled) {
    rmSync(one.file, { force: true })
    await prepareProfile(one)
  }
  const load = measure({ ...run, seconds: seconds + 2 * MARGIN_S }, known.stopped)
  const begun = sleep(MARGIN_S * 1_000).then(() => beginProfiles(profiled))
  await Promise.all([load, begun])
  for (const one of profiled) {
    await whenWritten(one)
    printTimes(`${contestant.name}, ${one.name}, ${workload.name}, ${connections}`, one.file)
  }
}

function printTimes(title: string, file: string): void {
  const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile
  const { busy, self, ownTotal } = timesOf(profile, { count: TOP, checkout: CHECKOUT })
  console.log(`\n${title}: busy ${Math.round(100 * busy)} % of the time`)
  if (busy < BUSY_MIN) return
  console.log('  functions in themselves')
  printFunctions(self)
  console.log('  own functions with what they called')
  printFunctions(ownTotal)
}

function printFunctions(functions: readonly FunctionTime[]): void {
  for (const { name, place, share } of functions) {
    console.log(`  ${(100 * share).toFixed(1).padStart(5)} %  ${name}  ${place}`)
  }
}
