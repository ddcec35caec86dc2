/**
 * From samples to lines: axes with round numbers, and paths with gaps where nothing is
 * known. Pure.
 */

/** The smallest of 1, 2, 5, 10, 20, ... that holds `value`. */
export function roundTop(value) {
  if (value <= 1) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return [1, 2, 5, 10].map(step => step * power).find(top => top >= value)
}

/**
 * @param points `[x, y | null]` pairs, x from 0 to 1
 * @param top what is at the upper edge
 * @param area `{ x, y, width, height }` to draw in
 */
export function linePath(points, top, area) {
  let path = ''
  let isDown = false
  for (const [x, y] of points) {
    if (y === null || y === undefined) {
      isDown = false
      continue
    }
    const at = `${(area.x + x * area.width).toFixed(1)} ${heightOf(y, top, area).toFixed(1)}`
    path += `${isDown ? 'L' : 'M'}${at}`
    isDown = true
  }
  return path
}

export const heightOf = (value, top, area) => area.y + area.height * (1 - Math.min(1, value / top))

/** The sample that was taken last at `atMs`; undefined when there is none so old. */
export function sampleAt(samples, atMs) {
  let found
  for (const sample of samples) {
    if (sample.atMs > atMs) break
    found = sample
  }
  return found
}

/** The columns of the stream's history as samples. */
export function samplesOf(columns) {
  const names = Object.keys(columns)
  return (columns.atMs ?? []).map((_, at) =>
    Object.fromEntries(names.map(name => [name, columns[name][at]]))
  )
}
