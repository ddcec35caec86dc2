#!/usr/bin/env node
/**
 * The `convoy` command: from the checkout (`npx convoy`) or anywhere after `npm link`.
 */
process.argv.splice(2, 0, 'cli/main.ts')
await import('./bootstrap.mjs')
