/**
 * What `convoy up` may be told.
 */
import type { Argv } from 'yargs'
import type { Shared } from '../command.ts'

export interface UpOptions {
  readonly fresh: boolean
  readonly remove: boolean
  readonly detach: boolean
  readonly replicas: number | undefined
  readonly orchestrators: number
  readonly 'port-base': number
  readonly tls: boolean
}

export const upOptions = (yargs: Argv<Shared>): Argv<UpOptions & Shared> =>
  yargs
    .option('detach', {
      alias: 'd',
      type: 'boolean',
      default: false,
      describe: 'In the background: returns when it is ready; `convoy down` stops it'
    })
    .option('fresh', {
      type: 'boolean',
      default: false,
      describe: 'Begin empty: throw away all data of the last run'
    })
    .option('remove', {
      type: 'boolean',
      default: false,
      describe: 'Start nothing: remove all data, secrets and logs of the folder'
    })
    .option('replicas', {
      type: 'number',
      describe:
        'A fixed number of workers beside the master; by default 2 to 5, as the load asks for'
    })
    .option('orchestrators', {
      type: 'number',
      default: 1,
      describe: 'How many serve; one of them supervises, and any may die'
    })
    .option('port-base', {
      type: 'number',
      default: 8080,
      describe: 'lb listens here, users-api, rides-api and the first orchestrator 1, 2 and 10 above'
    })
    .option('tls', {
      type: 'boolean',
      default: false,
      describe: 'Everything over TLS, with certificates made for this start'
    })
    .check(({ replicas = 2, orchestrators, 'port-base': portBase, detach, remove }) => {
      if (!Number.isInteger(replicas) || replicas < 0 || replicas > 50) {
        throw new Error('--replicas is a number from 1 to 50')
      }
      if (!Number.isInteger(orchestrators) || orchestrators < 1 || orchestrators > 9) {
        throw new Error('--orchestrators is a number from 1 to 9')
      }
      if (!Number.isInteger(portBase) || portBase < 1_024 || portBase > 60_000) {
        throw new Error('--port-base is a number from 1024 to 60000')
      }
      if (detach && remove) throw new Error('--remove starts nothing: --detach has no meaning')
      return true
    })
