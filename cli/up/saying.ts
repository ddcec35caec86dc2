/**
 * The lines of something that takes its time, each with its second.
 */
export type Say = (line: string) => void

/** @param aside to standard error, because standard output is for JSON */
export function saying(aside: boolean): Say {
  const startedAtMs = performance.now()
  return line => {
    const seconds = ((performance.now() - startedAtMs) / 1_000).toFixed(1)
    const text = `${seconds.padStart(6)} s  ${line}`
    if (aside) console.error(text)
    else console.log(text)
  }
}
