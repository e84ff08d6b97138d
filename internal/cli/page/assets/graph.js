// The graph of the traffic: dagre places nodes and edges, and this draws them.
/* global dagre */

import {svg} from './dom.js';
import {milliseconds, quality, rate, share} from './format.js';

const lineHeight = 17;
const letter = 7.4;

/** The edges with the most traffic are drawn; the table has all. */
const maxEdges = 150;

/** Draws nodes and edges. describe receives a sentence about the node in focus, or ''. Returns the number of edges that are not drawn. */
export function draw(canvas, nodes, edges, describe) {
  const shown = [...edges].sort((a, b) => Number(a.backs ?? 0) - Number(b.backs ?? 0) || b.rate - a.rate).slice(0, maxEdges);
  const used = new Set(shown.flatMap((e) => [e.from, e.to]));
  const graph = new dagre.graphlib.Graph({multigraph: true});
  graph.setGraph({rankdir: 'LR', nodesep: 22, ranksep: 70, edgesep: 14, marginx: 10, marginy: 10});
  graph.setDefaultEdgeLabel(() => ({}));
  for (const n of nodes) {
    if (!used.has(n.id)) continue;
    const lines = [n.name, n.kind === 'workload' ? `${n.sidecars ?? 0} sidecar${n.sidecars === 1 ? '' : 's'}` : n.kind === 'service' ? 'Service' : 'outside the mesh'];
    graph.setNode(n.id, {node: n, lines, width: Math.max(...lines.map((l) => l.length)) * letter + 24, height: 2 * lineHeight + 14});
  }
  shown.forEach((e, i) => {
    const lines = e.backs ? [] : numbersOf(e);
    graph.setEdge(e.from, e.to, {edge: e, lines, width: Math.max(0, ...lines.map((l) => l.length)) * 6.4, height: lines.length * lineHeight, labelpos: 'c'}, String(i));
  });
  dagre.layout(graph);
  const {width = 0, height = 0} = graph.graph();
  const size = {w: Number.isFinite(width) ? width : 0, h: Number.isFinite(height) ? height : 0};
  canvas.setAttribute('viewBox', `0 0 ${size.w} ${size.h}`);
  canvas.setAttribute('width', size.w);
  // A wide graph shrinks to the page, as long as it can be read.
  canvas.style.minWidth = `${0.65 * size.w}px`;
  const focused = canvas.contains(document.activeElement) ? document.activeElement.dataset.id : null;
  canvas.replaceChildren(...graph.edges().map((id) => drawEdge(graph.edge(id))), ...graph.nodes().map((id) => drawNode(canvas, graph.node(id), edges, describe)));
  if (focused) canvas.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus({preventScroll: true});
  return edges.length - shown.length;
}

/** Returns the numbers of an edge in two lines. */
function numbersOf(e) {
  const first = [`${rate(e.rate)}/s`];
  const second = [];
  if (e.success != null) first.push(share(e.success));
  if (e.p99 != null) second.push(`p99 ${milliseconds(e.p99)}`);
  second.push(e.mtls ? 'mTLS' : 'no mTLS');
  return [first.join(' · '), second.join(' · ')];
}

function drawEdge({edge, lines, points, x, y}) {
  const [first, ...rest] = points;
  const end = rest[rest.length - 1];
  const before = rest[rest.length - 2] ?? first;
  const angle = (Math.atan2(end.y - before.y, end.x - before.x) * 180) / Math.PI;
  const group = svg('g', {class: `edge ${edge.backs ? 'backs' : quality(edge.success)}`, 'data-from': edge.from, 'data-to': edge.to, 'aria-hidden': 'true'},
    svg('path', {d: `M${first.x},${first.y}${curve(first, rest)}`}),
    svg('polygon', {points: '0,0 -9,-4.5 -9,4.5', transform: `translate(${end.x},${end.y}) rotate(${angle})`}));
  lines.forEach((line, i) => group.append(svg('text', {x, y: y - 5 + i * lineHeight, 'text-anchor': 'middle', class: 'small'}, line)));
  return group;
}

/** Returns smooth segments through the points that dagre returns. */
function curve(first, rest) {
  let from = first;
  return rest.map((to) => {
    const middle = (from.x + to.x) / 2;
    const part = `C${middle},${from.y} ${middle},${to.y} ${to.x},${to.y}`;
    from = to;
    return part;
  }).join('');
}

function drawNode(canvas, {node, lines, x, y, width, height}, edges, describe) {
  const sentence = sentenceOf(node, edges);
  const group = svg('g', {class: `node ${node.kind}`, tabindex: '0', role: 'img', 'aria-label': sentence, 'data-id': node.id, transform: `translate(${x - width / 2},${y - height / 2})`},
    svg('rect', {width, height}),
    svg('text', {x: width / 2, y: lineHeight + 3, 'text-anchor': 'middle'}, lines[0]),
    svg('text', {x: width / 2, y: 2 * lineHeight + 3, 'text-anchor': 'middle', class: 'small'}, lines[1]));
  const choose = (on) => () => {
    canvas.classList.toggle('chosen', on);
    describe(on ? sentence : '');
    for (const other of canvas.querySelectorAll('.on')) other.classList.remove('on');
    if (!on) return;
    group.classList.add('on');
    for (const e of canvas.querySelectorAll('.edge')) {
      if (e.dataset.from !== node.id && e.dataset.to !== node.id) continue;
      e.classList.add('on');
      for (const end of [e.dataset.from, e.dataset.to]) canvas.querySelector(`.node[data-id="${CSS.escape(end)}"]`)?.classList.add('on');
    }
  };
  for (const event of ['focus', 'mouseenter']) group.addEventListener(event, choose(true));
  for (const event of ['blur', 'mouseleave']) group.addEventListener(event, choose(false));
  return group;
}

/** Describes a node for those who do not see the graph. */
function sentenceOf(node, edges) {
  const name = (id) => id.slice(id.indexOf(':') + 1);
  const sent = edges.filter((e) => e.from === node.id && !e.backs).map((e) => `${name(e.to)} (${numbersOf(e).join(', ')})`);
  const received = edges.filter((e) => e.to === node.id && !e.backs).map((e) => `${name(e.from)} (${numbersOf(e).join(', ')})`);
  const parts = [`${node.kind} ${node.name}`];
  if (node.kind === 'workload') parts.push(`${node.sidecars ?? 0} sidecars`);
  if (sent.length > 0) parts.push(`calls ${sent.join(', ')}`);
  if (received.length > 0) parts.push(`is called by ${received.join(', ')}`);
  return parts.join('; ');
}
