/**
 * The prompt of `convoy sql`: statements over several lines until a semicolon, commands
 * that begin with a backslash, history, Ctrl-C for a line that is not wanted any more.
 */
import { createInterface } from 'node:readline'
import { CommandError } from '../outcome.ts'
import { stdout, styled } from '../terminal.ts'
import { Backslash, COMMANDS } from './backslash.ts'
import { historyIn, keepHistory, LINES_MAX } from './history.ts'
import { resultText } from './render.ts'
import type { SqlSession } from './session.ts'
import type { Splitter } from './statements.ts'

const FIRST = 'convoy> '
const FURTHER = '     -> '

export interface PromptOptions {
  readonly session: SqlSession
  readonly splitter: Splitter
  readonly historyFile: string
  readonly timing: boolean
  readonly input: NodeJS.ReadableStream
  readonly output: NodeJS.WritableStream
}

/** Resolves when the user has left. */
export async function prompt(options: PromptOptions): Promise<void> {
  const { session, splitter, historyFile } = options
  const backslash = new Backslash(session, options.timing)
  const lines = createInterface({
    input: options.input,
    output: options.output,
    prompt: FIRST,
    terminal: true,
    history: historyIn(historyFile),
    historySize: LINES_MAX,
    removeHistoryDuplicates: true,
    completer: (line: string) => [COMMANDS.filter(name => name.startsWith(line)), line]
  })
  lines.on('history', history => keepHistory(historyFile, history))
  let text = ''
  let closed = false
  lines.on('close', () => {
    closed = true
  })
  const again = () => {
    if (closed) return // What was typed before Ctrl-D is still run.
    lines.setPrompt(text === '' ? FIRST : FURTHER)
    lines.prompt()
  }
  lines.on('SIGINT', () => {
    text = ''
    stdout('')
    again()
  })
  stdout(`SQL to the cluster; \\? for help, \\q to leave. Consistency: ${session.consistency}.`)
  again()
  for await (const line of lines) {
    if (text === '' && line.startsWith('\\')) {
      if (await left(() => backslash.run(line))) break
    } else {
      text = text === '' ? line : `${text}\n${line}`
      if (splitter.isComplete(text)) {
        const whole = text
        text = ''
        await left(() => run(whole, { session, splitter, backslash }))
      } else if (text.trim() === '') text = ''
    }
    again()
  }
  lines.close()
}

async function run(
  text: string,
  {
    session,
    splitter,
    backslash
  }: { session: SqlSession; splitter: Splitter; backslash: Backslash }
): Promise<boolean> {
  for (const statement of splitter.statements(text)) {
    stdout(resultText(await session.run(statement), backslash.looks))
  }
  return false
}

/** A mistake ends the line, not the prompt. */
async function left(act: () => Promise<boolean>): Promise<boolean> {
  try {
    return await act()
  } catch (err) {
    if (!(err instanceof CommandError)) throw err
    stdout(styled('red', err.message))
    if (err.next !== undefined) stdout(`  ${err.next}`)
    return false
  }
}
