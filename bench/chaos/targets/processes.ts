/**
 * Faults of a system whose processes run on this machine: signals to them, silence in
 * front of them, full disks below them.
 */
import { readFileSync } from 'node:fs'
import type { Run } from '../../../local/convoy.ts'
import type { Fault, Faults } from '../../../testing/cluster/faults.ts'
import type { Victim as Named } from '../../../testing/cluster/victims.ts'
import type { Dice } from '../../../testing/random.ts'
import type { PlannedFault, Victim } from '../plan.ts'
import type { Struck } from './target.ts'

export async function strikeProcesses(
  faults: Faults,
  planned: PlannedFault,
  dice: Dice
): Promise<Struck> {
  const named = (victim: Victim) => drawn(faults, victim, dice)
  switch (planned.fault) {
    case 'pause':
      return lasting(planned.of, await faults.pause(await named(planned.of)))
    case 'cut':
      return lasting(planned.of, await faults.cut(planned.of, planned.from))
    case 'slow':
      return lasting(planned.of, await faults.slow(planned.of, planned.from, planned.delayMs))
    case 'disk':
      return lasting(planned.of, await faults.fillDisk(planned.of))
    default: {
      const who = await named(planned.fault.slice('kill-'.length) as Victim)
      return { who, dead: await faults.kill(who), heal: async () => {} }
    }
  }
}

const lasting = (who: string, fault: Fault): Struck => ({
  ...{ who, dead: [] },
  heal: () => fault.heal()
})

/** Where there are several, which one. */
async function drawn(faults: Faults, victim: Victim, dice: Dice): Promise<Named> {
  if (victim === 'orchestrator') {
    const { pids } = JSON.parse(readFileSync(faults.folder.runFile, 'utf8')) as Run
    const names = Object.keys(pids).filter(name => name.startsWith(victim))
    return (dice.pick(names.sort()) ?? victim) as Named
  }
  if (victim !== 'worker' && victim !== 'replica') return victim
  const { workers } = await faults.now()
  const fitting = workers.filter(({ role }) => victim === 'worker' || role === victim)
  const one = dice.pick(fitting.toSorted((a, b) => a.pid - b.pid))
  return one === undefined ? 'replica' : `worker ${one.id}`
}
