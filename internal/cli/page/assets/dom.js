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

/** Returns a table. Columns are {title, number, wrap, tight, cell(row) -> text or node}. On narrow screens each row is a card with the titles. */
export function table(caption, columns, rows, empty) {
  if (rows.length === 0) return element('p', {class: 'quiet'}, empty);
  const kind = (c) => (c.number ? {class: 'number'} : c.wrap ? {class: 'wrap'} : c.tight ? {class: 'tight'} : {});
  const cell = (c, row) => {
    const content = c.cell(row);
    return typeof content === 'string' && !c.number && !c.tight ? breakable(content) : content || '–';
  };
  return element('div', {class: 'scroll'}, element('table', {'aria-label': caption},
    element('thead', {}, element('tr', {}, ...columns.map((c) => element('th', {scope: 'col', ...kind(c)}, c.title)))),
    element('tbody', {}, ...rows.map((row) => element('tr', {}, ...columns.map((c) => element('td', {'data-title': c.title, ...kind(c)}, cell(c, row))))))));
}

/** Shows a text in the colour of its meaning. */
export function state(text, kind) {
  return element('span', {class: kind}, text);
}

/** Shows a name that can continue on the next line after each of its separators, so that it is never cut. */
export function breakable(text) {
  if (text === '') return '–';
  const parts = text.split(/(?<=[-./:_@])/);
  return element('span', {}, ...parts.flatMap((part, i) => (i < parts.length - 1 ? [part, element('wbr')] : [part])));
}

/** Returns a button that looks like a link. */
export function action(text, label, run) {
  const button = element('button', {type: 'button', class: 'link', 'aria-label': label}, text);
  button.addEventListener('click', run);
  return button;
}
