/**
 * `npm run compose:up`: the whole of Convoy in containers on this machine's Docker engine,
 * from nothing to a banner. Run again, it brings what has changed: images, settings.
 */
import yargs from 'yargs'
import { failed, SEE_HELP } from '../local/script.ts'
import { loadComposeConfig } from './config.ts'
import { buildImages } from './images.ts'
import { refusalOf } from './settings.ts'
import { Stack } from './stack.ts'

const READY_MS = 180_000

const options = await yargs(process.argv.slice(2))
  .scriptName('npm run compose:up --')
  .usage('$0 [options]\n\nBuilds the images, and starts a whole Convoy in containers.')
  .option('cluster', {
    type: 'string',
    default: loadComposeConfig().CONVOY_CLUSTER,
    describe: 'Name of the stack; several can run beside each other'
  })
  .option('port-base', {
    type: 'number',
    describe: 'lb listens here, the orchestrators 10 and 11 above (8080 at first)'
  })
  .option('replicas', {
    type: 'number',
    describe: 'A fixed number of workers beside the master, in place of scaling by load'
  })
  .option('set', {
    type: 'string',
    array: true,
    default: [] as string[],
    describe: 'NAME=VALUE of the settings file, and kept there'
  })
  .option('build', { type: 'boolean', default: true, describe: 'Build the images first' })
  .check(({ 'port-base': portBase, replicas, set }) => {
    if (portBase !== undefined && !(portBase >= 1_024 && portBase <= 60_000)) {
      throw new Error('--port-base is a number from 1024 to 60000')
    }
    if (replicas !== undefined && !(replicas >= 1 && replicas <= 50)) {
      throw new Error('--replicas is a number from 1 to 50')
    }
    const refusal = refusalOf(set)
    if (refusal !== undefined) throw new Error(refusal)
    return true
  })
  .epilogue('Settings and secrets are in .convoy/compose/<cluster>.env (mode 600).')
  .strict()
  .showHelpOnFail(false, SEE_HELP)
  .parseAsync()

const startedAt = performance.now()
const say = (line: string) => {
  console.log(`${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6)} s  ${line}`)
}

try {
  const stack = new Stack(options.cluster)
  const settings = stack.prepare(given())
  if (options.build) buildImages(settings['CONVOY_TAG'] ?? '', say)
  say('starting')
  stack.up()
  await stack.untilReady(READY_MS)
  console.log(banner(stack))
} catch (err) {
  failed(err)
}

function given(): Record<string, string> {
  const { portBase, replicas } = options
  const ports = {
    CONVOY_LB_PORT: String(portBase),
    CONVOY_ADMIN_PORT: String((portBase ?? 0) + 10),
    CONVOY_ADMIN_PORT_2: String((portBase ?? 0) + 11)
  }
  return {
    ...(portBase === undefined ? {} : ports),
    ...(replicas === undefined ? {} : fixed(replicas)),
    ...Object.fromEntries(options.set.map(text => text.split(/=(.*)/s).slice(0, 2)))
  }
}

const fixed = (replicas: number) => ({
  CONVOY_SCALE_POLICY: 'fixed',
  CONVOY_REPLICAS_MIN: String(replicas),
  CONVOY_REPLICAS_MAX: String(replicas)
})

function banner({ addresses, settingsFile, cluster }: Stack): string {
  const named = cluster === 'main' ? '' : ` -- --cluster ${cluster}`
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
  return `
Convoy is ready (${seconds} s).

  ride pooling   ${addresses.lb}/api/v1
  orchestrators  ${addresses.orchestrators.map(url => `${url}/docs`).join('  ')}
  settings       ${settingsFile} (CONVOY_TOKEN is asked for by the orchestrators)

  npm run compose:down${named} stops all of it; the data stays.
`
}
