/**
 * `convoy crash`: kill -9 of a worker, to see what happens then.
 */
import { command, printJson } from '../command.ts'
import { isConfirmed } from '../confirm.ts'
import { orchestratorsOf } from '../orchestrator.ts'
import { CommandError } from '../outcome.ts'
import { stdout } from '../terminal.ts'

const ROLES = ['master', 'replica'] as const

interface Own {
  readonly role: (typeof ROLES)[number] | undefined
  readonly yes: boolean
}

/** As the API calls them. */
const PATHS = { master: 'master', replica: 'slave' } as const

export const crash = command<Own>({
  usage: 'crash <role>',
  describe: 'Kills a worker (kill -9): nothing is lost, and clients see a slow answer',
  options: yargs =>
    yargs
      .positional('role', {
        choices: ROLES,
        describe: 'The master, or the replica with the highest pid'
      })
      .option('yes', { alias: 'y', type: 'boolean', default: false, describe: 'Do not ask' }),
  examples: [
    ['$0 crash master', 'asks first'],
    ['$0 crash replica --yes', 'for scripts']
  ],
  run: async ({ role = 'replica', yes, ...args }) => {
    const orchestrators = orchestratorsOf(args)
    if (!yes && !(await isConfirmed(`Kill the ${role} of ${orchestrators.url}?`))) {
      throw new CommandError('nothing was killed', { next: 'answer "yes", or give --yes' })
    }
    const path = `/api/v1/crash/${PATHS[role]}`
    const killed = await orchestrators.call<string[]>({ method: 'POST', path })
    if (args.json) printJson({ role, killed: killed.map(Number) })
    else stdout(`killed the ${role}, pid ${killed.join(', ')}`)
    return undefined
  }
})
