/**
 * What a worker tells orchestrators about their reads beside answers: notes about those that
 * have none.
 */
import type { ConfirmChannel } from 'amqplib'
import { type AmqpLink, whileOpen } from '../platform/amqp.ts'
import { encodeReplies, type Note, type ReadRequest, type Reply } from '../wire/requests.ts'

export class ReadNotes {
  readonly #link: AmqpLink
  readonly #confirming: ConfirmChannel

  private constructor(link: AmqpLink, confirming: ConfirmChannel) {
    this.#link = link
    this.#confirming = confirming
  }

  static async open(link: AmqpLink, lost: () => void): Promise<ReadNotes> {
    const confirming = await link.publishConnection.createConfirmChannel()
    confirming.on('error', () => {}).on('close', lost)
    return new ReadNotes(link, confirming)
  }

  #send(replyTo: string, replies: readonly Reply[]): void {
    whileOpen(() => {
      for (const message of encodeReplies(replies)) {
        this.#link.publishing.sendToQueue(replyTo, message)
      }
    })
  }

  note(replyTo: string, reads: readonly ReadRequest[], note: Note): void {
    if (reads.length > 0)
      this.#send(
        replyTo,
        reads.map(read => noteAbout(read, note))
      )
  }

  /** Resolves when RabbitMQ has the note, or is gone, which ends the session. */
  async confirm(replyTo: string, reads: readonly ReadRequest[], note: Note): Promise<void> {
    const messages = encodeReplies(reads.map(read => noteAbout(read, note)))
    whileOpen(() => {
      for (const message of messages) this.#confirming.sendToQueue(replyTo, message)
    })
    await this.#confirming.waitForConfirms().catch(() => {})
  }

  close(): void {
    void this.#confirming.close().catch(() => {})
  }
}

function noteAbout(read: ReadRequest, note: Note): Reply {
  const about = { id: read.readId, kind: 'read', status: 0, body: '', note } as const
  return 'sending' in read ? { ...about, sending: read.sending ?? 1 } : about
}
