/**
 * What a screen reader is told, as Chromium computes it.
 */
import type { Page } from 'playwright-core'

const NAMED = new Set([
  ...['button', 'link', 'textbox', 'combobox', 'spinbutton', 'slider', 'checkbox'],
  ...['image', 'img', 'meter', 'navigation', 'dialog', 'DisclosureTriangle']
])

/** Things that need a name and have none. */
export async function unnamed(page: Page): Promise<string[]> {
  const session = await page.context().newCDPSession(page)
  const { nodes } = await session.send('Accessibility.getFullAXTree')
  await session.detach()
  return nodes
    .filter(({ ignored, role, name }) => !ignored && NAMED.has(role?.value) && !name?.value)
    .map(({ role, nodeId }) => `${role?.value} ${nodeId}`)
}
