/**
 * The commands of `convoy`, in the order in which its help lists them. A new one is a
 * file in commands/ and a line here.
 */
import type { Command } from './command.ts'
import { backup } from './commands/backup.ts'
import { bench } from './commands/bench.ts'
import { chaos } from './commands/chaos.ts'
import { config } from './commands/config.ts'
import { crash } from './commands/crash.ts'
import { down } from './commands/down.ts'
import { events } from './commands/events.ts'
import { freeze, start } from './commands/freeze.ts'
import { handover } from './commands/handover.ts'
import { addHost, hosts } from './commands/hosts.ts'
import { init } from './commands/init.ts'
import { logs } from './commands/logs.ts'
import { operations } from './commands/operations.ts'
import { policy } from './commands/policy.ts'
import { recover } from './commands/recover.ts'
import { restore } from './commands/restore.ts'
import { scale } from './commands/scale.ts'
import { simulate } from './commands/simulate.ts'
import { sql } from './commands/sql.ts'
import { status } from './commands/status.ts'
import { up } from './commands/up.ts'
import { update } from './commands/update.ts'
import { verify } from './commands/verify.ts'
import { workers } from './commands/workers.ts'

export const COMMANDS: readonly Command[] = [
  up,
  down,
  init,
  status,
  workers,
  logs,
  events,
  sql,
  scale,
  policy,
  config,
  freeze,
  start,
  operations,
  hosts,
  addHost,
  handover,
  crash,
  verify,
  update,
  backup,
  restore,
  recover,
  bench,
  chaos,
  simulate
]
