/**
 * The reference part of docs/cli.md: the help of each command, as it is shown.
 */
import { COMMANDS } from './commands.ts'
import { convoyCommand } from './convoy.ts'

/** In docs/cli.md the reference is all that follows this line. */
export const MARK = '<!-- What follows is written by `npm run docs:cli`. -->'

export async function manual(): Promise<string> {
  const parts = [section('convoy', await convoyCommand([]).getHelp())]
  for (const { name, ownHelp } of COMMANDS) {
    parts.push(section(`convoy ${name}`, ownHelp ?? (await convoyCommand([name]).getHelp())))
  }
  return `${MARK}\n\n${parts.join('\n')}`
}

const section = (title: string, help: string) => `## ${title}\n\n\`\`\`\n${help.trim()}\n\`\`\`\n`
