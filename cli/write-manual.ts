/**
 * `npm run docs:cli`: brings the reference in docs/cli.md up to what --help says.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { MARK, manual } from './manual.ts'

const PAGE = fileURLToPath(new URL('../docs/cli.md', import.meta.url))

const [introduction = ''] = readFileSync(PAGE, 'utf8').split(MARK)
writeFileSync(PAGE, introduction + (await manual()))
