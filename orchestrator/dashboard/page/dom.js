/**
 * Makes elements. Whatever comes from the cluster goes in as text or as an attribute,
 * never as markup: the page's Content-Security-Policy forbids that too.
 */
const SVG = 'http://www.w3.org/2000/svg'

export const byId = id => document.getElementById(id)

/** An HTML element; an attribute that is false or null is left out. */
export const make = (tag, attributes, ...children) =>
  fill(document.createElement(tag), attributes, children)

/** An SVG element. */
export const draw = (tag, attributes, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children)

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? '' : value)
    }
  }
  element.append(...children.flat().filter(child => child !== null && child !== undefined))
  return element
}

/** Sets a text only when it has changed: a live region is read out at each change. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text
}
