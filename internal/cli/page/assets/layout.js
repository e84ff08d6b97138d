// Places the graph of the traffic: dagre sorts nodes into layers, and edges run straight through the layers that they pass.
/* global dagre */

import {numbersOf} from './format.js';

/** Sizes of texts in pixels. */
export const font = {name: 14, small: 12.5, line: 17};

const padding = 12;
const maxLetters = 17;
/** The size of labels, and gaps: between columns of a wide graph, and between rows of a narrow one. */
const wide = {label: {width: 98, height: 2 * font.line}, layers: 36, nodes: 18, edges: 16, margin: 14};
const slim = {label: {width: 70, height: 3 * font.line}, layers: 34, nodes: 8, edges: 6, margin: 6};

/** Splits a name into lines at its separators. Nothing is cut. */
export function wrap(name) {
  const lines = [''];
  for (const part of name.split(/(?<=[-./:_])/).flatMap((p) => p.match(new RegExp(`.{1,${maxLetters}}`, 'gsu')) ?? [])) {
    if (lines.at(-1).length + part.length > maxLetters && lines.at(-1) !== '') lines.push('');
    lines[lines.length - 1] += part;
  }
  return lines;
}

/** Returns the lines of a node: its name, and what it is. */
export function linesOf(node) {
  const slash = node.kind === 'outside' ? -1 : node.name.indexOf('/');
  const namespace = slash < 0 ? '' : node.name.slice(0, slash);
  const kind = {outside: 'outside the mesh', service: 'Service'}[node.kind] ?? `${node.sidecars ?? 0} sidecar${node.sidecars === 1 ? '' : 's'}`;
  return {name: wrap(node.name.slice(slash + 1)), small: [...(namespace ? wrap(namespace) : []), kind]};
}

/** Draws a Service and the only workload behind it as one node if they have one name or belong to nothing else. Returns where edges of a node lead. */
export function merge(nodes, edges) {
  const backs = edges.filter((e) => e.backs);
  const into = new Map();
  for (const n of nodes) {
    const own = backs.filter((e) => e.from === n.id);
    if (n.kind !== 'service' || own.length !== 1) continue;
    const [{to}] = own;
    if (to.slice(to.indexOf(':') + 1) === n.name || backs.filter((e) => e.to === to).length === 1) into.set(n.id, to);
  }
  return (id) => into.get(id) ?? id;
}

/**
 * Returns the places of nodes and edges, and the size. Layers are columns, or rows if vertical is true. Texts are measured by measure(text, size).
 * The size of labels is fixed, so that other numbers do not move anything.
 */
export function place(nodes, edges, vertical, measure) {
  const graph = new dagre.graphlib.Graph({multigraph: true});
  const size = vertical ? slim : wide;
  graph.setGraph({rankdir: vertical ? 'TB' : 'LR', nodesep: size.nodes, ranksep: size.layers, edgesep: size.edges, marginx: size.margin, marginy: size.margin});
  graph.setDefaultEdgeLabel(() => ({}));
  const known = new Set(nodes.map((n) => n.id));
  const target = merge(nodes, edges);
  const drawn = edges.map((edge) => ({edge, from: target(edge.from), to: target(edge.to)}))
    .filter((e) => known.has(e.from) && known.has(e.to) && !(e.edge.backs && e.from === e.to));
  const boxes = nodes.filter((n) => target(n.id) === n.id).map((node) => {
    const lines = linesOf(node);
    const width = Math.max(...lines.name.map((l) => measure(l, font.name, true)), ...lines.small.map((l) => measure(l, font.small)));
    return {node, lines, width: width + 2 * padding, height: (lines.name.length + lines.small.length) * font.line + padding};
  });
  for (const b of boxes) graph.setNode(b.node.id, b);
  drawn.forEach((e, i) => graph.setEdge(e.from, e.to, {...e, ...(e.edge.backs || (vertical && e.edge.rate === 0 && !e.edge.denials) ? {} : size.label), labelpos: 'c', weight: e.edge.rate > 0 ? 2 : 1}, String(i)));
  dagre.layout(graph);
  const {width, height} = graph.graph();
  const layers = layersOf(boxes, vertical);
  const lines = graph.edges().map((id) => ({...graph.edge(id), text: labelOf(graph.edge(id).edge, vertical)}));
  return {width: finite(width), height: finite(height), boxes, lines: lines.map((line, i) => ({...line, path: path(line, i, lines, graph, vertical, layers)}))};
}

/** Gives the boxes of a layer one extent along the layers, so that an edge that passes the layer passes no box. Returns the extents by place. */
function layersOf(boxes, vertical) {
  const [along, u] = vertical ? ['height', 'y'] : ['width', 'x'];
  const layers = new Map();
  for (const b of boxes) layers.set(Math.round(b[u]), Math.max(b[along], layers.get(Math.round(b[u])) ?? 0));
  for (const b of boxes) b[along] = layers.get(Math.round(b[u]));
  return layers;
}

/** Returns the lines of a label: one for each number, or in a wide graph the share of failures beside the rate. */
function labelOf(edge, vertical) {
  const numbers = numbersOf(edge);
  const fail = numbers.findIndex((n) => n.endsWith(' fail'));
  return vertical || fail < 1 ? numbers : [...numbers.slice(0, fail - 1), `${numbers[fail - 1]}, ${numbers[fail]}`, ...numbers.slice(fail + 1)];
}

const finite = (v) => (Number.isFinite(v) ? v : 0);

/** Returns the line of an edge, as points along (u) and across (v) the layers. It is straight in layers, and curved between them. */
function path(line, index, lines, graph, vertical, layers) {
  const uv = (p) => (vertical ? {u: p.y, v: p.x} : {u: p.x, v: p.y});
  const xy = (u, v) => (vertical ? `${v},${u}` : `${u},${v}`);
  if (line.from === line.to) return {d: `M${line.points.map((p) => `${p.x},${p.y}`).join(' L')}`, end: line.points.at(-1), angle: 180};
  const [source, destination] = [line.from, line.to].map((id) => graph.node(id));
  const inner = line.points.slice(1, -1).map(uv);
  const start = uv(source);
  const end = uv(destination);
  const forward = Math.sign(end.u - start.u) || 1;
  start.u += (forward * layers.get(Math.round(start.u))) / 2;
  end.u -= (forward * layers.get(Math.round(end.u))) / 2;
  start.v += port(index, lines, 'from', vertical, source);
  end.v += port(index, lines, 'to', vertical, destination);
  let last = start;
  let d = `M${xy(start.u, start.v)}`;
  const curve = (u, v) => {
    const middle = (last.u + u) / 2;
    d += ` C${xy(middle, last.v)} ${xy(middle, v)} ${xy(u, v)}`;
    last = {u, v};
  };
  for (const p of inner) {
    const half = (layers.get(Math.round(p.u)) ?? (vertical ? slim.label.height : wide.label.width)) / 2;
    curve(p.u - forward * half, p.v);
    d += ` L${xy(p.u + forward * half, p.v)}`;
    last = {u: p.u + forward * half, v: p.v};
  }
  curve(end.u - forward * 9, end.v);
  d += ` L${xy(end.u - forward * 2, end.v)}`;
  const angle = (vertical ? 90 : 0) + (forward < 0 ? 180 : 0);
  return {d, end: vertical ? {x: end.v, y: end.u} : {x: end.u, y: end.v}, angle};
}

/** Returns where an edge begins or ends on the side of a node: edges of one side are next to each other, in the order of where they lead. */
function port(index, lines, side, vertical, box) {
  const across = (line) => {
    const points = line.points;
    const next = side === 'from' ? points[1] : points.at(-2);
    return (vertical ? next?.x : next?.y) ?? 0;
  };
  const own = lines.map((line, i) => ({line, i})).filter(({line}) => line[side] === lines[index][side] && line.from !== line.to)
    .sort((a, b) => across(a.line) - across(b.line) || a.i - b.i);
  const room = (vertical ? box.width : box.height) - 2 * padding;
  const step = own.length > 1 ? Math.min(14, room / (own.length - 1)) : 0;
  return (own.findIndex(({i}) => i === index) - (own.length - 1) / 2) * step;
}
