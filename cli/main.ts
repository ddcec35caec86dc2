/**
 * `convoy`: operates a cluster from a terminal or a script. Ends with the exit codes of
 * outcome.ts; results go to standard output, everything else to standard error.
 */

import { UserError } from '../local/script.ts'
import { ConfigError } from '../platform/config.ts'
import { convoyCommand } from './convoy.ts'
import { CommandError, EXIT, type ExitCode } from './outcome.ts'

// Whoever read our lines may be gone (`convoy logs | head`).
process.stdout.on('error', () => process.exit(EXIT.done))

const words = process.argv.slice(2)
try {
  await convoyCommand(words).parseAsync()
} catch (err) {
  process.exitCode = tell(err, words.includes('--json'))
}
process.exit()

function tell(err: unknown, json: boolean): ExitCode {
  const isMistake = err instanceof UserError || err instanceof ConfigError
  if (!isMistake) {
    console.error(err)
    return EXIT.failed
  }
  const { exitCode, next, code } =
    err instanceof CommandError ? err : { exitCode: EXIT.failed, next: undefined, code: undefined }
  if (json) console.error(JSON.stringify({ error: err.message, code, next, exitCode }))
  else
    console.error(
      [`convoy: ${err.message}`, ...(next === undefined ? [] : [`  ${next}`])].join('\n')
    )
  return exitCode
}
