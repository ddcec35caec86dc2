/**
 * `convoy up`, and `npm start`: a whole Convoy on this machine, from nothing to a banner.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { removeConvoy } from '../../local/convoy.ts'
import { command } from '../command.ts'
import { EXIT } from '../outcome.ts'
import { inBackground } from '../up/background.ts'
import { inForeground } from '../up/foreground.ts'
import { type UpOptions, upOptions } from '../up/options.ts'
import { placeOf } from '../up/place.ts'
import { saying } from '../up/saying.ts'

export const up = command<UpOptions>({
  usage: 'up',
  describe: 'Starts Convoy on this machine, with servers of its own, until Ctrl-C',
  options: upOptions,
  examples: [
    ['$0 up', 'start, with the users and rides of the last time'],
    ['$0 up -d', 'in the background'],
    ['$0 up --fresh --replicas 4', 'an empty cluster of five workers'],
    ['$0 up --port-base 9000', 'http://127.0.0.1:9000']
  ],
  epilogue:
    'Everything lies in .convoy/: logs, data, and run.json with addresses for scripts.\n' +
    'Run by root, data and secrets lie in /var/lib/convoy/, linked from there.\n' +
    'Nothing on the machine is touched but Debian packages that are missing. `npm start --` takes the same options.',
  run: async args => {
    const say = saying(args.json)
    const place = placeOf(args)
    if (args.remove) {
      await removeConvoy(place.open())
      const left = place.dirs.filter(dir => existsSync(dir))
      say(`removed all data, secrets and logs in ${place.dirs.join(' and ')}`)
      if (left.length > 0) say(`what else is in ${left.join(' and ')} stays`)
      return EXIT.done
    }
    if (args.detach) {
      place.open() // It says what is wrong with the folder, before a log is written there.
      return await inBackground(args, join(place.root, 'convoy.log'))
    }
    return await inForeground(args, { place, say })
  }
})
