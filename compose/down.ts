/**
 * `npm run compose:down`: stops and removes every container of a stack, those of the
 * workers too, and its network. Data and secrets stay unless told otherwise.
 */
import yargs from 'yargs'
import { failed, SEE_HELP } from '../local/script.ts'
import { loadComposeConfig } from './config.ts'
import { removeImages } from './images.ts'
import { Stack } from './stack.ts'

const options = await yargs(process.argv.slice(2))
  .scriptName('npm run compose:down --')
  .usage('$0 [options]\n\nStops and removes the containers of `npm run compose:up`.')
  .option('cluster', {
    type: 'string',
    default: loadComposeConfig().CONVOY_CLUSTER,
    describe: 'Name of the stack'
  })
  .option('data', {
    type: 'boolean',
    default: false,
    describe: 'Remove all volumes and the settings file, too: the data is gone then'
  })
  .option('images', { type: 'boolean', default: false, describe: 'Remove the images, too' })
  .strict()
  .showHelpOnFail(false, SEE_HELP)
  .parseAsync()

try {
  const stack = new Stack(options.cluster)
  const settings = stack.prepare({})
  stack.down()
  if (options.data) stack.removeData()
  if (options.images) removeImages(settings['CONVOY_TAG'] ?? '')
  console.log(options.data ? 'stopped; nothing is left' : 'stopped; the data stays')
} catch (err) {
  failed(err)
}
