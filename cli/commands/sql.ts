/**
 * `convoy sql`: SQL to the cluster, at a prompt, from a file or from the command line.
 */
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { clusterOf } from '../cluster.ts'
import { type Arguments, command, printJson } from '../command.ts'
import { loadCommandConfig } from '../config.ts'
import { orchestratorsOf } from '../orchestrator.ts'
import { CommandError, EXIT, UsageError } from '../outcome.ts'
import { Backslash } from '../sql/backslash.ts'
import { resultText } from '../sql/render.ts'
import { CONSISTENCIES, type Consistency, type Result, SqlSession } from '../sql/session.ts'
import type { Splitter, Statement } from '../sql/statements.ts'
import { Progress, stdout } from '../terminal.ts'
import { plural } from '../text.ts'

interface Own {
  readonly command: readonly string[] | undefined
  readonly file: string | undefined
  readonly consistency: Consistency
  readonly timing: boolean
  readonly 'single-transaction': boolean
}

interface Source {
  /** Undefined on the command line. */
  readonly name: string | undefined
  readonly text: string
}

export const sql = command<Own>({
  usage: 'sql',
  describe: 'SQL: at a prompt, from a file (-f), or from the command line (-c)',
  options: yargs =>
    yargs
      .option('command', {
        alias: 'c',
        type: 'string',
        array: true,
        nargs: 1,
        describe: 'Run this, or a backslash command of the prompt; may be given several times'
      })
      .option('file', {
        alias: 'f',
        type: 'string',
        describe: 'Run this file; - is standard input'
      })
      .option('consistency', {
        choices: CONSISTENCIES,
        default: 'session' as const,
        describe: 'Of reads'
      })
      .option('timing', { type: 'boolean', default: false, describe: 'How long each takes' })
      .option('single-transaction', {
        alias: '1',
        type: 'boolean',
        default: false,
        describe: 'All statements as one write'
      })
      .check(({ command, file }) => {
        return command === undefined || file === undefined || '--command and --file go alone'
      }),
  examples: [
    ['$0 sql', 'a prompt; \\? for help'],
    ["$0 sql -c 'select count(*) from users'", 'one statement'],
    ["$0 sql --consistency strong -c '\\d users'", 'the columns of a table'],
    ['$0 sql -1 -f schema.sql', 'a file, all or nothing'],
    ["$0 sql --json -c 'select * from rides'", 'a line of JSON for each statement']
  ],
  epilogue:
    'What only reads goes to replicas, all else to the master: each statement is a transaction of its own, sent with a request id, ' +
    'so that it is done once. A file that is no SQL is refused before any of it runs; it ends at the first statement that fails.',
  run: async args => {
    const orchestrators = orchestratorsOf(args)
    await clusterOf(orchestrators) // From here on an orchestrator that is away is waited for.
    const { openSplitter } = await import('../sql/statements.ts')
    const splitter = await openSplitter()
    const session = new SqlSession(orchestrators, args.consistency)
    const sources = await sourcesOf(args)
    if (sources !== null) {
      for (const source of sources) await runSource(source, { args, session, splitter })
      return EXIT.done
    }
    if (args.json) throw new UsageError('a prompt speaks no JSON', 'give -c or -f')
    const { prompt } = await import('../sql/prompt.ts')
    const historyFile = loadCommandConfig().CONVOY_SQL_HISTORY
    const { stdin: input, stdout: output } = process
    await prompt({ session, splitter, historyFile, timing: args.timing, input, output })
    return EXIT.done
  }
})

/** Null at a terminal. */
async function sourcesOf(args: Arguments<Own>): Promise<Source[] | null> {
  if (args.command !== undefined) return args.command.map(one => ({ name: undefined, text: one }))
  const { file } = args
  if (file === '-' || (file === undefined && !process.stdin.isTTY)) {
    return [{ name: '<stdin>', text: await text(process.stdin) }]
  }
  if (file === undefined) return null
  try {
    return [{ name: file, text: readFileSync(file, 'utf8') }]
  } catch (cause) {
    throw new UsageError(`cannot read ${file}: ${(cause as Error).message}`)
  }
}

interface Means {
  readonly args: Arguments<Own>
  readonly session: SqlSession
  readonly splitter: Splitter
}

async function runSource(source: Source, { args, session, splitter }: Means): Promise<void> {
  if (source.name === undefined && source.text.startsWith('\\')) {
    await new Backslash(session, args.timing).run(source.text)
    return
  }
  const statements = splitter.statements(source.text, source.name)
  const show = (result: Result) => {
    if (args.json) printJson(result)
    else stdout(resultText(result, { expanded: false, timing: args.timing }))
  }
  if (args.singleTransaction) {
    if (statements.length > 0) show(await asOne(statements, { source, session }))
    return
  }
  // Beside results on a terminal it would be in their way.
  using progress = process.stdout.isTTY ? null : new Progress('running')
  for (const [done, statement] of statements.entries()) {
    progress?.show(`${done} of ${plural(statements.length, 'statement')}`, done / statements.length)
    try {
      show(await session.run(statement))
    } catch (err) {
      throw err instanceof CommandError ? inSource(err, { source, at: statement.at, done }) : err
    }
  }
}

async function asOne(
  statements: readonly Statement[],
  { source, session }: { readonly source: Source; readonly session: SqlSession }
): Promise<Result> {
  try {
    return await session.write(statements)
  } catch (err) {
    if (!(err instanceof CommandError)) throw err
    const at = statements[Number(err.details['statement'] ?? 0)]?.at ?? 0
    throw inSource(err, { source, at, done: 0 })
  }
}

/** Which line of a file, and what of it was done. */
function inSource(
  err: CommandError,
  { source, at, done }: { readonly source: Source; readonly at: number; readonly done: number }
): CommandError {
  if (source.name === undefined) return err
  const line = source.text.slice(0, at).split('\n').length
  const before = done === 0 ? 'nothing' : plural(done, 'statement')
  const next = `${before} before it ${done > 1 ? 'were' : 'was'} done`
  return err.saying(
    `${source.name}:${line}: ${err.message}`,
    err.next === undefined ? next : `${err.next}\n  ${next}`
  )
}
