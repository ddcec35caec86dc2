import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { openMachine } from './machine.ts'

t.test('a machine tells its cores, and how many of them have nothing to do', async t => {
  const figures = openMachine(false)
  await sleep(200)
  const machine = figures()
  if (machine === undefined) throw new Error('no figures')
  t.match(machine.id, /^[0-9a-f-]{36}$/)
  t.ok(machine.cores >= 1)
  t.ok(machine.idleCores >= 0 && machine.idleCores <= machine.cores)
  t.equal(openMachine(true)()?.id, machine.id, 'the same for a container on it')
})
