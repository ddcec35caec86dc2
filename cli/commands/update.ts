/**
 * `convoy update`: replaces every service, orchestrator and worker of the system that runs
 * here, one after the other, so that no request fails.
 */
import { updateSystem } from '../../local/update.ts'
import { command, printJson } from '../command.ts'
import { Orchestrators } from '../orchestrator.ts'
import { folderOf, runningIn, targetOf } from '../target.ts'
import { saying } from '../up/saying.ts'

export const update = command({
  usage: 'update',
  describe: 'Replaces services and workers by new processes, one by one; no request fails',
  examples: [['$0 update', 'after `git pull` and `npm ci`']],
  epilogue:
    'The master goes last, and hands over first. lb, RabbitMQ, ZooKeeper and the starter itself stay as they are: for those, stop and start.',
  run: async args => {
    runningIn(args)
    const { authorization } = new Orchestrators(targetOf(args))
    const say = saying(args.json)
    const replaced: string[] = []
    await updateSystem({
      folder: folderOf(args),
      authorization,
      say: line => {
        replaced.push(line)
        say(line)
      }
    })
    if (args.json) printJson({ done: replaced })
    else say('all are new')
    return undefined
  }
})
