/**
 * CPU time and memory of a contestant's processes, from /proc. PostgreSQL's processes
 * count apart from the process that started them.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

/** Process ids by what they do. */
export type Processes = ReadonlyMap<string, number>

/** USER_HZ, which Linux has fixed at 100 for programs to see. */
const TICK_MS = 10

/** Milliseconds of CPU that each has used so far, with the processes below it. */
export const cpuTimes = (processes: Processes): Map<string, number> =>
  sums(owned(processes).map(({ name, process }) => [name, process.cpuMs]))

/**
 * Bytes of memory of each, with the processes below it; what several share is split between
 * them (PSS). The kernel walks through all of it, so one after the other is asked for: a caller
 * that measures time goes on meanwhile, with all cores but one.
 */
export async function memoryOf(processes: Processes): Promise<Map<string, number>> {
  const found: [name: string, bytes: number][] = []
  for (const { name, process } of owned(processes)) found.push([name, await pssOf(process)])
  return sums(found)
}

/** Those of `processes`, and all below them. */
function owned(processes: Processes): { readonly name: string; readonly process: Process }[] {
  const owners = new Map([...processes].map(([name, pid]) => [pid, name]))
  const all = readProcesses()
  return [...all.values()].flatMap(process => {
    const name = ownerOf(process, { all, owners })
    return name === undefined ? [] : [{ name, process }]
  })
}

function sums(figures: readonly (readonly [name: string, figure: number])[]): Map<string, number> {
  const found = new Map<string, number>()
  for (const [name, figure] of figures) found.set(name, (found.get(name) ?? 0) + figure)
  return found
}

async function pssOf({ pid }: Process): Promise<number> {
  try {
    const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
    return Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1_024
  } catch {
    return 0 // It ended.
  }
}

interface Process {
  readonly pid: number
  readonly parent: number
  readonly command: string
  readonly cpuMs: number
}

function readProcesses(): Map<number, Process> {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger)
  return new Map(
    pids.flatMap(pid => {
      const one = readProcess(pid)
      return one === undefined ? [] : [[pid, one] as const]
    })
  )
}

function readProcess(pid: number): Process | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined // It ended.
  }
  const nameEnd = stat.lastIndexOf(')')
  const fields = stat
    .slice(nameEnd + 2)
    .split(' ')
    .map(Number)
  const ticks = (fields[11] ?? 0) + (fields[12] ?? 0)
  const command = stat.slice(stat.indexOf('(') + 1, nameEnd)
  return { pid, parent: fields[1] ?? 0, command, cpuMs: ticks * TICK_MS }
}

function ownerOf(
  process: Process,
  known: { all: ReadonlyMap<number, Process>; owners: ReadonlyMap<number, string> }
): string | undefined {
  const { all, owners } = known
  for (let at: Process | undefined = process; at !== undefined; at = all.get(at.parent)) {
    const name = owners.get(at.pid)
    if (name !== undefined) return process.command === 'postgres' ? `${name}'s PostgreSQL` : name
  }
  return undefined
}
