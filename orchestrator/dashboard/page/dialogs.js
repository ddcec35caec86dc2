/**
 * The two questions that the page asks: for a token, and whether somebody is sure.
 * Native dialogs: they keep the focus, and give it back.
 */
import { token } from './api.js'
import { byId, say } from './dom.js'

/** @param used called when the token has changed */
export function openTokenDialog(used) {
  const dialog = byId('token-dialog')
  const done = () => {
    dialog.close()
    byId('token-value').value = ''
    used()
  }
  byId('token').addEventListener('click', () => dialog.showModal())
  byId('token-cancel').addEventListener('click', () => dialog.close())
  byId('token-forget').addEventListener('click', () => {
    token.forget()
    done()
  })
  byId('token-form').addEventListener('submit', event => {
    event.preventDefault()
    token.set(byId('token-value').value)
    done()
  })
}

/** After a refusal. */
export function askForToken() {
  const why =
    token.get() === null
      ? 'This Convoy asks for a token. It is kept until this tab is closed, and sent to nobody else.'
      : 'That token was refused. Try another one.'
  say(byId('token-why'), why)
  if (!byId('token-dialog').open) byId('token-dialog').showModal()
}

/** @returns whether the answer was yes */
export function isSure({ title, text, yes }) {
  const dialog = byId('sure')
  say(byId('sure-title'), title)
  say(byId('sure-text'), text)
  say(byId('sure-yes'), yes)
  dialog.showModal()
  return new Promise(resolve => {
    let answer = false
    const confirm = event => {
      event.preventDefault()
      answer = true
      dialog.close()
    }
    const cancel = () => dialog.close()
    byId('sure-form').addEventListener('submit', confirm)
    byId('sure-no').addEventListener('click', cancel)
    dialog.addEventListener(
      'close',
      () => {
        byId('sure-form').removeEventListener('submit', confirm)
        byId('sure-no').removeEventListener('click', cancel)
        resolve(answer)
      },
      { once: true }
    )
  })
}
