// Elements without markup in strings: names in a mesh are text that other people chose.

const svgNamespace = 'http://www.w3.org/2000/svg';

/** Returns an element with attributes and children. */
export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** Returns an SVG element with attributes and children. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(svgNamespace, name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/** Returns a table. Columns are {title, number, wrap, cell(row) -> text or node}. */
export function table(caption, columns, rows, empty) {
  if (rows.length === 0) return element('p', {class: 'quiet'}, empty);
  const kind = (c) => (c.number ? {class: 'number'} : c.wrap ? {class: 'wrap'} : {});
  return element('div', {class: 'scroll'}, element('table', {'aria-label': caption},
    element('thead', {}, element('tr', {}, ...columns.map((c) => element('th', {scope: 'col', ...kind(c)}, c.title)))),
    element('tbody', {}, ...rows.map((row) => element('tr', {}, ...columns.map((c) => element('td', kind(c), c.cell(row) ?? '–')))))));
}

/** Shows a text in the colour of its meaning. */
export function state(text, kind) {
  return element('span', {class: kind}, text);
}
