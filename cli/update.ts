/**
 * `npm run update`: replaces every service, orchestrator and worker of the system that
 * `npm start` runs here, one after the other, so that no request fails.
 */
import yargs from 'yargs'
import { FOLDER, orchestratorAt } from './run-file.ts'
import { failed, SEE_HELP } from './script.ts'
import { updateSystem } from './system/update.ts'

await yargs(process.argv.slice(2))
  .scriptName('npm run update')
  .usage(
    '$0\n\nReplaces users-api, rides-api, orchestrators and workers of a running Convoy by new processes of the\n' +
      'files as they are now, one after the other: no request through lb fails. The master goes last, and hands over first.'
  )
  .epilogue(
    'lb, RabbitMQ, ZooKeeper and the starter itself stay as they are: for those, stop and start.'
  )
  .strict()
  .demandCommand(0, 0)
  .showHelpOnFail(false, SEE_HELP)
  .parseAsync()

const startedAtMs = performance.now()
const say = (line: string) => {
  const seconds = ((performance.now() - startedAtMs) / 1_000).toFixed(1)
  console.log(`${seconds.padStart(6)} s  ${line}`)
}
const { url, authorization } = orchestratorAt(undefined)
await updateSystem({ folder: FOLDER, authorization, say }).catch(err => failed(err, url))
say('all are new')
