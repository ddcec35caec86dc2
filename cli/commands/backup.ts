/**
 * `convoy backup`: the whole database of a running cluster in one file; docs/backup.md.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { stopOnSignal } from '../../local/script.ts'
import { type Saved, saveBackup } from '../backup/save.ts'
import { command, printJson, type Where } from '../command.ts'
import { orchestratorsOf } from '../orchestrator.ts'
import { CommandError, EXIT, UsageError } from '../outcome.ts'
import { Progress, stdout } from '../terminal.ts'
import { bytesText } from '../text.ts'

const MAX_RATE = { min: 32, max: 1_000_000 }
/** Of what packs well, little comes in a long time. */
const SILENT_MS = 300_000

interface Own {
  readonly file: string
  readonly force: boolean
  readonly 'max-rate': number | undefined
}

export const backup = command<Own>({
  usage: 'backup <file>',
  describe: 'Copies the whole database of a running cluster into a file',
  options: yargs =>
    yargs
      .positional('file', {
        type: 'string',
        demandOption: true,
        describe: 'To be made, a .tar.gz; as FILE.partial until it is whole'
      })
      .option('force', {
        type: 'boolean',
        default: false,
        describe: 'Replace a file that is there'
      })
      .option('max-rate', {
        type: 'number',
        describe: 'Take no more than so many kB/s from the worker that is copied'
      })
      .check(({ 'max-rate': rate = MAX_RATE.min }) => {
        return (
          (Number.isInteger(rate) && rate >= MAX_RATE.min && rate <= MAX_RATE.max) ||
          `--max-rate is a number from ${MAX_RATE.min} to ${MAX_RATE.max}`
        )
      }),
  examples: [
    ['$0 backup monday.tar.gz', 'the system that runs in this checkout'],
    ['$0 backup monday.tar.gz --max-rate 20000', 'slower: 20 MB/s are read at most'],
    ['$0 restore monday.tar.gz', 'brings it back, in a system without data']
  ],
  epilogue:
    'It is taken from an in-sync replica while clients read and write, and has every write that was acknowledged\n' +
    'before it began. Keep it as you keep the database: it holds ALL data, password hashes included, and the answers\n' +
    'of the last requests. Runtime settings (`convoy config`, `convoy scale`) are not in it. More: docs/backup.md.',
  run: async args => {
    const file = resolve(args.file)
    if (existsSync(file) && !args.force) {
      throw new UsageError(`${file} is there already`, 'take another name, or give --force')
    }
    const saved = await save(file, args)
    if (args.json) printJson({ file, ...saved })
    else {
      stdout(
        `${file}: ${bytesText(saved.bytes)}, with everything up to index ${saved.index} of term ${saved.term} at least`
      )
    }
    return EXIT.done
  }
})

async function save(file: string, args: Where & { maxRate?: number | undefined }): Promise<Saved> {
  using progress = new Progress('asking for a backup')
  const startedAtMs = performance.now()
  const rate = args.maxRate === undefined ? '' : `?maxRateKBps=${args.maxRate}`
  const path = `/api/v1/cluster/backup${rate}`
  const signal = stopOnSignal(() => undefined)
  let taken = 0
  const onBytes = (what: 'taking' | 'checking', bytes: number) => {
    if (what === 'checking') return progress.show(`checking ${file}`, bytes / taken)
    taken = bytes
    const perS = (1_000 * bytes) / (performance.now() - startedAtMs)
    progress.show(`${bytesText(bytes)}, ${bytesText(perS)}/s`)
  }
  try {
    const archive = await orchestratorsOf(args).stream(path, { signal, silentMs: SILENT_MS })
    return await saveBackup({ file, archive, onBytes })
  } catch (err) {
    if (signal.aborted) throw new CommandError('stopped: nothing is kept of the backup')
    if (!isBrokenOff(err)) throw err
    throw new CommandError('the backup broke off: nothing is kept of it', {
      next: 'try again; `convoy logs orchestrator` says why',
      cause: err
    })
  }
}

/** As fetch tells of an answer that ends too early. */
const isBrokenOff = (err: unknown) => err instanceof TypeError && err.message === 'terminated'
