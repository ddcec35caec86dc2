/**
 * `convoy restore`: a new cluster from a backup; docs/backup.md.
 */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { loadStarterConfig } from '../../local/config.ts'
import { ensureSoftware } from '../../local/install/install.ts'
import { holdsData, type Restored, restoreBackup } from '../backup/restore.ts'
import { type Arguments, command, printJson } from '../command.ts'
import { isConfirmed } from '../confirm.ts'
import { CommandError, EXIT, UsageError } from '../outcome.ts'
import { Progress, stdout } from '../terminal.ts'
import { bytesText } from '../text.ts'
import { placeOf } from '../up/place.ts'
import { saying } from '../up/saying.ts'

interface Own {
  readonly file: string
  readonly fresh: boolean
  readonly foreign: boolean
  readonly yes: boolean
}

export const restore = command<Own>({
  usage: 'restore <file>',
  describe: 'Makes a new cluster of a backup, in a system that does not run',
  options: yargs =>
    yargs
      .positional('file', {
        type: 'string',
        demandOption: true,
        describe: 'What `convoy backup` has made'
      })
      .option('fresh', {
        type: 'boolean',
        default: false,
        describe: 'Throw away the data that is there, once the backup has proved sound'
      })
      .option('foreign', {
        type: 'boolean',
        default: false,
        describe: 'Trust a file that this installation has not made: PostgreSQL runs what is in it'
      })
      .option('yes', { alias: 'y', type: 'boolean', default: false, describe: 'Do not ask' }),
  examples: [
    ['$0 restore monday.tar.gz', 'into this checkout, which has no data; then `convoy up`'],
    ['$0 restore monday.tar.gz --fresh', 'in place of what is there; asks first'],
    ['$0 restore monday.tar.gz --folder copy', 'beside it; then `convoy up --folder copy`'],
    ['$0 restore theirs.tar.gz --foreign', 'made by another installation that you trust']
  ],
  epilogue:
    'Every file is compared with its checksum, and PostgreSQL is started once, before anything is changed. The\n' +
    'new cluster has one worker and an id of its own; `convoy up` starts it, and others copy it. Request ids of the\n' +
    'old cluster are remembered as long as they would have been. More: docs/backup.md.',
  run: async args => {
    const file = resolve(args.file)
    const restored = await bringBack(file, args)
    if (args.json) printJson({ file, ...restored })
    else stdout(restoredText(restored, args))
    return EXIT.done
  }
})

async function bringBack(file: string, args: Arguments<Own>): Promise<Restored> {
  const size = statSync(file, { throwIfNoEntry: false })?.size
  if (size === undefined) throw new UsageError(`there is no ${file}`)
  const config = loadStarterConfig()
  const place = placeOf(args)
  const software = ensureSoftware(saying(args.json))
  const folder = place.open()
  await mayThrowAway(holdsData(folder), { root: place.root, ...args })
  using progress = new Progress(`reading ${file}`)
  return await restoreBackup({
    ...{ file, folder, software, fresh: args.fresh },
    cluster: config.CONVOY_CLUSTER,
    postgresUser: config.CONVOY_POSTGRES_USER,
    mayTrust: () => mayTrust(args),
    onStep(step, read) {
      if (read === undefined) progress.show(step)
      else progress.show(`${step} ${bytesText(size)}`, read / size)
    }
  })
}

async function mayThrowAway(
  has: boolean,
  { root, fresh, yes }: { readonly root: string; readonly fresh: boolean; readonly yes: boolean }
): Promise<void> {
  if (!has) return
  if (!fresh) {
    throw new CommandError(`${root} has data already: nothing is changed`, {
      next: 'name another folder with --folder, or give --fresh to throw it away'
    })
  }
  if (yes || (await isConfirmed(`Throw away the data in ${root}?`))) return
  throw new CommandError('nothing is changed', { next: 'answer "yes", or give --yes' })
}

const FOREIGN =
  'This installation has not made this backup, or somebody has changed it since. Whoever made it can run ' +
  'programs on this machine once PostgreSQL works with it.'

async function mayTrust({ foreign, file }: Arguments<Own>): Promise<boolean> {
  if (foreign) return true
  if (process.stdin.isTTY && process.stderr.isTTY) {
    return await isConfirmed(`${FOREIGN} Trust ${file}?`)
  }
  throw new CommandError(`${FOREIGN} Nothing is changed.`, {
    next: 'give --foreign if you know where the file comes from'
  })
}

function restoredText({ head, end, clusterId }: Restored, { folder }: Arguments<Own>): string {
  const where = folder === undefined ? '' : ` --folder ${folder}`
  return [
    `restored at index ${end.index} of term ${end.term}`,
    `  a copy of cluster ${head.clusterId}, begun at ${head.at}`,
    `  which is now cluster ${clusterId}`,
    `next: \`convoy up${where}\`, then \`convoy verify${where}\``
  ].join('\n')
}
