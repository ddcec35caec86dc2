/**
 * Cuts SQL text into statements and tells which of them only read, by PostgreSQL's own
 * parser: a semicolon in a string, a comment or a quoted body ends nothing.
 */
import { examine } from '../../orchestrator/admission/examine.ts'
import { openParser, type Parser } from '../../orchestrator/admission/parser.ts'
import { SqlSyntaxError } from '../../orchestrator/errors.ts'
import { CommandError } from '../outcome.ts'

export interface Statement {
  readonly sql: string
  /** From the beginning of the text, in characters. */
  readonly at: number
  readonly onlyReads: boolean
}

export interface Splitter {
  /** @throws CommandError that shows where the text is no SQL; then none of it is to be run */
  statements(text: string, name?: string): Statement[]
  /** Whether the text ends with the semicolon of a statement. */
  isComplete(text: string): boolean
}

export async function openSplitter(): Promise<Splitter> {
  const [parser, scanner] = await Promise.all([openParser(), import('libpg-query')])
  await scanner.loadModule()
  return {
    statements: (text, name) => split(parser, text, name),
    isComplete: text => {
      try {
        const tokens = scanner
          .scanSync(text)
          .tokens.filter(({ tokenName }) => !isComment(tokenName))
        return tokens.at(-1)?.tokenName === SEMICOLON
      } catch (err) {
        // What is open goes on in the next line; anything else is for the parser to tell.
        return !String(err).includes('unterminat') && text.trimEnd().endsWith(';')
      }
    }
  }
}

const SEMICOLON = 'ASCII_59'
const isComment = (tokenName: string) => tokenName.endsWith('COMMENT')

function split(parser: Parser, text: string, name: string | undefined): Statement[] {
  if (text.trim() === '') return []
  const bytes = Buffer.from(text)
  try {
    return parser.parse(text).map(({ stmt_location: from = 0, stmt_len: length }) => {
      const end = length === undefined || length === 0 ? bytes.length : from + length
      const raw = bytes.toString('utf8', from, end)
      const sql = raw.trimStart()
      const at = bytes.toString('utf8', 0, from).length + raw.length - sql.length
      return { sql: sql.trimEnd(), at, onlyReads: onlyReads(parser, sql) }
    })
  } catch (err) {
    if (!(err instanceof SqlSyntaxError)) throw err
    const at = Number(err.details['position'] ?? 1) - 1
    const message = err.message.replace(/\s+/g, ' ')
    throw new CommandError(pointed(text, { at, name, message }), { code: err.code })
  }
}

/** What the cluster would not take at all is sent as a write: it says why. */
function onlyReads(parser: Parser, sql: string): boolean {
  try {
    return examine(parser, sql).onlyReads
  } catch {
    return false
  }
}

/** `file.sql:3:8: message`, the line, and a mark below the place. */
export function pointed(
  text: string,
  {
    at,
    name,
    message
  }: { readonly at: number; readonly name?: string | undefined; readonly message: string }
): string {
  const before = text.slice(0, at).split('\n')
  const line = text.split('\n')[before.length - 1] ?? ''
  const column = before.at(-1)?.length ?? 0
  const where = name === undefined ? '' : `${name}:${before.length}:${column + 1}: `
  const mark = line.slice(0, column).replace(/[^\t]/g, ' ')
  return `${where}${message}\n  ${line}\n  ${mark}^`
}
