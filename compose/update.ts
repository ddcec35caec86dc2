/**
 * `npm run compose:update`: builds the images, and replaces every service, orchestrator and
 * worker of a running stack by a container of the new ones, one after the other.
 */
import yargs from 'yargs'
import { failed, SEE_HELP } from '../local/script.ts'
import { untilBack } from '../local/until-back.ts'
import { updateWorkers } from '../local/update-workers.ts'
import { loadComposeConfig } from './config.ts'
import { buildImages } from './images.ts'
import { Stack } from './stack.ts'

/** There are two of each: one serves while the other is replaced. */
const SERVICES = ['users-api', 'rides-api', 'orchestrator'].flatMap(name => [
  `${name}-1`,
  `${name}-2`
])

const options = await yargs(process.argv.slice(2))
  .scriptName('npm run compose:update --')
  .usage(
    '$0 [options]\n\nReplaces users-api, rides-api, orchestrators and workers of a running stack by containers of\n' +
      'the checkout as it is now: no request through lb fails. The master goes last, and hands over first.'
  )
  .option('cluster', {
    type: 'string',
    default: loadComposeConfig().CONVOY_CLUSTER,
    describe: 'Name of the stack'
  })
  .option('build', { type: 'boolean', default: true, describe: 'Build the images first' })
  .epilogue('lb, RabbitMQ and ZooKeeper stay as they are: for those, npm run compose:up.')
  .strict()
  .showHelpOnFail(false, SEE_HELP)
  .parseAsync()

const startedAtMs = performance.now()
const say = (line: string) => {
  console.log(`${((performance.now() - startedAtMs) / 1_000).toFixed(1).padStart(6)} s  ${line}`)
}

try {
  const stack = new Stack(options.cluster)
  const settings = stack.prepare({})
  if (options.build) buildImages(settings['CONVOY_TAG'] ?? '', say)
  for (const service of SERVICES) {
    stack.replace(service)
    await untilBack(`${service} to do its work again`, async () => stack.isReady(service))
    say(`${service} is new`)
  }
  await updateWorkers({
    orchestrators: () => stack.addresses.orchestrators,
    authorization: { authorization: `Bearer ${settings['CONVOY_TOKEN']}` },
    end: async pid => stack.stopWorker(pid),
    say
  })
  say('all are new')
} catch (err) {
  failed(err)
}
