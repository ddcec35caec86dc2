/**
 * A real browser: Debian's Chromium, without a window, driven by playwright-core. What a
 * page writes to the console as an error, and what it asks of other hosts, is kept.
 */
import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'
import type { Test } from 'tap'
import { installPackages } from '../../local/install/install.ts'

const CHROMIUM = '/usr/bin/chromium'
const DEADLINE_MS = 10_000

/** Brings it where it is missing. @returns why there is none; null when there is one */
export function bringBrowser(say: (line: string) => void): string | null {
  if (existsSync(CHROMIUM)) return null
  if (process.getuid?.() !== 0) return `${CHROMIUM} is missing, and installing it takes root`
  say('Installing from Debian, once:\n  chromium, fonts-dejavu-core: the dashboard is tested in it')
  try {
    installPackages(['chromium', 'fonts-dejavu-core'])
    return null
  } catch (err) {
    return String(err)
  }
}

export const hasBrowser = () => existsSync(CHROMIUM)

export async function openBrowser(t: Pick<Test, 'teardown'>): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      // Root's Chromium has no sandbox; what it opens here is our own page.
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync'
    ]
  })
  t.teardown(() => browser.close())
  return browser
}

export interface OpenedPage {
  readonly page: Page
  /** Errors on its console, and those that nothing caught. */
  readonly errors: readonly string[]
  /** Addresses asked for that are not of `origin`. */
  readonly elsewhere: readonly string[]
}

/** A page in a session of its own, which knows no token. */
export async function openPage(
  browser: Browser,
  origin: string,
  options: { readonly dark?: boolean } = {}
): Promise<OpenedPage> {
  const context = await browser.newContext({
    viewport: { width: 1360, height: 900 },
    colorScheme: options.dark ? 'dark' : 'light',
    reducedMotion: 'reduce'
  })
  context.setDefaultTimeout(DEADLINE_MS)
  const page = await context.newPage()
  const errors: string[] = []
  const elsewhere: string[] = []
  page.on('console', message => {
    if (message.type() === 'error') errors.push(message.text())
  })
  page.on('pageerror', error => errors.push(String(error)))
  page.on('request', request => {
    if (!request.url().startsWith(`${origin}/`)) elsewhere.push(request.url())
  })
  await page.goto(origin)
  return { page, errors, elsewhere }
}

/** Types the token where the page asks for it. */
export async function giveToken(page: Page, token: string): Promise<void> {
  await page.locator('#token-dialog').waitFor()
  await page.getByRole('textbox', { name: 'Token' }).fill(token)
  await page.getByRole('button', { name: 'Use it' }).click()
}
