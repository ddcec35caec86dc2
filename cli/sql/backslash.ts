/**
 * Commands of the prompt that are not SQL.
 */
import { CommandError } from '../outcome.ts'
import { stdout } from '../terminal.ts'
import { relationsText, tableText } from './describe.ts'
import type { Looks } from './render.ts'
import { CONSISTENCIES, type Consistency, type SqlSession } from './session.ts'

const HELP: readonly (readonly [string, string])[] = [
  ['\\d [name]', 'tables, views and sequences; or the columns of one'],
  ['\\dt \\dv \\ds \\di', 'tables, views, sequences, indexes'],
  ['\\consistency [level]', `of reads: ${CONSISTENCIES.join(', ')}`],
  ['\\timing [on|off]', 'how long each statement takes, and at which index'],
  ['\\x [on|off]', 'one column a line'],
  ['\\?', 'this'],
  ['\\q', 'leave; so does Ctrl-D']
]

/** For completion. */
export const COMMANDS = [
  '\\d',
  '\\dt',
  '\\dv',
  '\\ds',
  '\\di',
  '\\timing',
  '\\x',
  '\\q',
  '\\?'
].concat(CONSISTENCIES.map(level => `\\consistency ${level}`))

export class Backslash {
  readonly #session: SqlSession
  #looks: Looks

  constructor(session: SqlSession, timing: boolean) {
    this.#session = session
    this.#looks = { expanded: false, timing }
  }

  get looks(): Looks {
    return this.#looks
  }

  /** @returns whether the user leaves @throws CommandError */
  async run(line: string): Promise<boolean> {
    const [name = '', word = ''] = line.trim().replace(/;$/, '').split(/\s+/)
    const [, kind] = /^\\d([tvis]?)$/.exec(name) ?? []
    if (kind !== undefined) stdout(await this.#describe(kind, word))
    else if (name === '\\consistency') this.#consistency(word)
    else if (name === '\\timing') {
      this.#looks = { ...this.#looks, timing: switched(this.#looks.timing, word) }
      stdout(`timing is ${this.#looks.timing ? 'on' : 'off'}`)
    } else if (name === '\\x') {
      this.#looks = { ...this.#looks, expanded: switched(this.#looks.expanded, word) }
      stdout(`one column a line is ${this.#looks.expanded ? 'on' : 'off'}`)
    } else if (name === '\\?') {
      stdout(HELP.map(([command, what]) => `  ${command.padEnd(22)} ${what}`).join('\n'))
    } else if (name !== '\\q') {
      throw new CommandError(`there is no command ${name}`, { next: '\\? lists them' })
    }
    return name === '\\q'
  }

  #describe(kind: string, word: string): Promise<string> {
    const looks = this.#looks
    if (word === '') return relationsText(this.#session, { kind, looks })
    const name = /^".*"$/.test(word) ? word.slice(1, -1) : word.toLowerCase()
    return tableText(this.#session, { name, looks })
  }

  #consistency(word: string): void {
    if (word !== '') this.#session.consistency = consistencyOf(word)
    stdout(`reads are ${this.#session.consistency}`)
  }
}

function consistencyOf(word: string): Consistency {
  const known = CONSISTENCIES.find(level => level === word)
  if (known !== undefined) return known
  throw new CommandError(`"${word}" is no consistency`, { next: CONSISTENCIES.join(', ') })
}

function switched(is: boolean, word: string): boolean {
  if (word === '') return !is
  if (word === 'on' || word === 'off') return word === 'on'
  throw new CommandError(`"${word}" is neither on nor off`)
}
