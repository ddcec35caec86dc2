/**
 * `convoy recover`: for when nobody can be elected; docs/guarantees.md.
 */

import { command, printJson, type Where } from '../command.ts'
import { Orchestrators } from '../orchestrator.ts'
import type { Telling } from '../recover/operate.ts'
import { reportOf } from '../recover/report.ts'
import { folderOf, runIn, targetOf } from '../target.ts'
import { stdout } from '../terminal.ts'

interface Own {
  readonly survivor: string[]
  readonly 'accept-loss': boolean
  readonly forget: boolean
}

export const recover = command<Own>({
  usage: 'recover',
  describe: 'When nobody can be elected: shows what each worker has, and goes on with one',
  options: yargs =>
    yargs
      .option('survivor', {
        type: 'string',
        array: true,
        default: [],
        describe:
          'The worker to go on with (its id, or the beginning of it). Several, if they hold the same. After ' +
          'a loss of memory: by default those with the highest (term, index)'
      })
      .option('accept-loss', {
        type: 'boolean',
        default: false,
        describe:
          'Yes, entries that the survivor lacks are given up. Asked for at a terminal, if left out'
      })
      .option('forget', {
        type: 'boolean',
        default: false,
        describe:
          'Let go of the data that workers keep since a recovery, because the survivor lacked it'
      })
      .check(({ forget, survivor, 'accept-loss': accepted }) => {
        return !forget || (survivor.length === 0 && !accepted) || '--forget goes alone'
      }),
  examples: [
    ['$0 recover', 'show, and change nothing'],
    ['$0 recover --survivor 3f2a --accept-loss', 'go on with that worker'],
    ['$0 recover --accept-loss', 'after a loss of memory: go on with the best'],
    ['$0 recover --forget', 'when nobody wants the rest any more']
  ],
  epilogue:
    'Needed when every in-sync worker is lost, or when ZooKeeper has lost its memory; `convoy status` says so.\n' +
    'What it writes: /state in ZooKeeper, with a term above all others, and the survivors as in-sync set. They ' +
    'elect one of themselves, others follow, new ones are started. Workers that return with entries that are not in ' +
    'the new history keep their data, out of service, until --forget. More: docs/guarantees.md, docs/operations.md.\n' +
    'CONVOY_ZOOKEEPER, CONVOY_ZOOKEEPER_AUTH and CONVOY_CLUSTER win over what a start has noted in the folder.',
  run: async args => {
    // ZooKeeper's client is not for every command.
    const [{ reachZooKeeper }, operate] = await Promise.all([
      import('../zookeeper.ts'),
      import('../recover/operate.ts')
    ])
    const folder = folderOf(args)
    const zookeeper = await reachZooKeeper(folder)
    const telling = args.json ? inJson : inText
    if (args.forget) telling.say(await operate.forget(zookeeper))
    else {
      const orchestrators = eachOrchestrator(args)
      await operate.recover(zookeeper, { ...args, ...telling, folder, orchestrators })
    }
    return undefined
  }
})

/** A system that waits for an operator may not be ready, and then its folder does not name them. */
function eachOrchestrator(args: Where): readonly Orchestrators[] {
  if (args.url === undefined && args.folder !== undefined && runIn(args) === null) return []
  const { urls, token } = targetOf(args)
  return urls.map(url => new Orchestrators({ urls: [url], token }))
}

const inText: Telling = {
  report: (found, situation) =>
    stdout(reportOf(found, situation, 'Nothing is changed without --accept-loss.')),
  say: stdout
}

const inJson: Telling = {
  report: ({ node, workers, unasked }, situation) =>
    printJson({ situation, state: node?.state ?? null, workers, unasked }),
  say: line => console.error(line)
}
