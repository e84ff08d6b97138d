// Draws the graph of the traffic, which can be zoomed, dragged and filtered.
/* global Panzoom */

import {svg} from './dom.js';
import {nameOf, numbersOf, qualityOf, reasonOf} from './format.js';
import {font, linesOf, merge, place} from './layout.js';

/** The edges with the most traffic are drawn; the table has all. */
const maxEdges = 150;
/** The number of workloads without any edge that are drawn. */
const maxAlone = 12;

/** Texts are at least 12 pixels high when the graph is drawn, also if it is larger than its place then. */
const minScale = 12 / font.small;
const narrow = 760;

const ruler = document.createElement('canvas').getContext('2d');
const measure = (text, size, bold = false) => {
  ruler.font = `${bold ? 600 : 400} ${size}px system-ui, sans-serif`;
  return ruler.measureText(text).width;
};

/** Returns the namespaces of nodes, sorted. */
export const namespacesOf = (nodes) => [...new Set(nodes.filter((n) => n.kind !== 'outside').map((n) => n.name.split('/')[0]))].sort();

/** Returns the edges of a namespace, or all, the most important first. */
function select(nodes, edges, {namespace, idle}) {
  const inside = (id) => !namespace || (!id.startsWith('outside:') && nameOf(id).startsWith(`${namespace}/`));
  const traffic = edges.filter((e) => !e.backs && (inside(e.from) || inside(e.to)) && (idle || e.rate > 0 || e.denials > 0))
    .sort((a, b) => (b.denials ?? 0) - (a.denials ?? 0) || b.rate - a.rate);
  const shown = traffic.slice(0, maxEdges);
  const used = new Set(shown.flatMap((e) => [e.from, e.to]));
  const backs = edges.filter((e) => e.backs && used.has(e.from));
  for (const e of backs) used.add(e.to);
  const alone = nodes.filter((n) => n.sidecars > 0 && inside(n.id) && !edges.some((e) => e.from === n.id || e.to === n.id));
  for (const n of idle ? alone.slice(0, maxAlone) : []) used.add(n.id);
  return {shown: [...shown, ...backs], used: nodes.filter((n) => used.has(n.id)), hidden: traffic.length - shown.length};
}

/** A graph in a view. describe receives a sentence about the node in focus, or ''; choose receives the nodes of an edge, or a node. */
export class Graph {
  constructor(view, canvas, {describe, choose}) {
    Object.assign(this, {view, canvas, describe, choose, structure: ''});
    this.panzoom = Panzoom(canvas, {
      canvas: true, origin: '0 0', minScale: 0.15, maxScale: 4, step: 0.2, touchAction: 'pan-y', cursor: 'grab', animate: !matchMedia('(prefers-reduced-motion: reduce)').matches, duration: 120,
      handleStartEvent: () => {},
    });
    view.addEventListener('wheel', (event) => {
      if (event.ctrlKey || event.metaKey || view.contains(document.activeElement)) this.panzoom.zoomWithWheel(event, {animate: false});
    }, {passive: false});
    view.addEventListener('keydown', (event) => this.press(event));
    view.addEventListener('pointerdown', (event) => { this.pressed = {x: event.clientX, y: event.clientY}; });
    let width = 0;
    new ResizeObserver(() => {
      if (view.clientWidth === width) return;
      width = view.clientWidth;
      this.redraw(true);
    }).observe(view);
  }

  /** Shows nodes and edges, and returns the number of edges that are not drawn. The zoom remains unless other nodes are shown. */
  show(nodes, edges, filter) {
    Object.assign(this, {nodes, edges, filter});
    return this.redraw(false);
  }

  redraw(refit) {
    if (!this.nodes) return 0;
    const {shown, used, hidden} = select(this.nodes, this.edges, this.filter);
    const vertical = this.view.clientWidth < narrow;
    const target = merge(this.nodes, shown);
    const placed = place(used, shown, vertical, measure);
    const {canvas} = this;
    canvas.setAttribute('viewBox', `0 0 ${placed.width} ${placed.height}`);
    canvas.setAttribute('width', placed.width);
    canvas.setAttribute('height', placed.height);
    const focused = canvas.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    canvas.replaceChildren(...placed.lines.map((line) => this.drawEdge(line)), ...placed.boxes.map((box) => this.drawNode(box, target)));
    if (focused) canvas.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus({preventScroll: true});
    const structure = JSON.stringify([vertical, placed.boxes.map((b) => b.node.id), placed.lines.map((l) => [l.from, l.to])]);
    this.placed = placed;
    if (refit || structure !== this.structure) this.fit(minScale);
    this.structure = structure;
    return hidden;
  }

  /** Fits the graph into its place, but not below a scale. The frame is as high as what is drawn: with letters that can be read, higher than a whole fit needs. */
  fit(least = 0.15) {
    const {width, height} = this.placed;
    if (!(width > 0)) {
      this.view.style.height = '6rem';
      return;
    }
    const room = Math.max(280, Math.min(0.72 * innerHeight, 620)) * (least < minScale ? 1 : 1.5);
    const tall = this.view.clientWidth < narrow ? Infinity : room;
    const scale = Math.max(least, Math.min(1.15, this.view.clientWidth / width, tall / height));
    this.view.style.height = `${Math.min(height * scale, tall) + 8}px`;
    this.panzoom.zoom(scale, {animate: false});
    this.panzoom.pan(Math.max(0, (this.view.clientWidth / scale - width) / 2), 0, {animate: false});
  }

  zoom(direction) {
    const {left, top, width, height} = this.view.getBoundingClientRect();
    const factor = direction > 0 ? 1.25 : 0.8;
    this.panzoom.zoomToPoint(this.panzoom.getScale() * factor, {clientX: left + width / 2, clientY: top + height / 2}, {animate: false});
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = 60 / this.panzoom.getScale();
    const moves = {ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step]};
    if (moves[event.key]) this.panzoom.pan(...moves[event.key], {relative: true, animate: false});
    else if (event.key === '+' || event.key === '=') this.zoom(1);
    else if (event.key === '-') this.zoom(-1);
    else if (event.key === '0') this.fit();
    else return;
    event.preventDefault();
  }

  /** Calls a function on a click that is not the end of a drag, and on Enter and space. */
  onChoice(target, run) {
    target.addEventListener('click', (event) => {
      const moved = this.pressed ? Math.hypot(event.clientX - this.pressed.x, event.clientY - this.pressed.y) : 0;
      if (moved < 5) run();
    });
    target.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      run();
    });
  }

  drawEdge({edge, text, path, x, y}) {
    const kind = edge.backs ? 'backs' : qualityOf(edge);
    const mark = kind === 'denied' ? svg('path', {d: 'M-12,-5 L-2,5 M-12,5 L-2,-5', class: 'cross'}) : svg('polygon', {points: '0,0 -9,-4.5 -9,4.5'});
    mark.setAttribute('transform', `translate(${path.end.x},${path.end.y}) rotate(${path.angle})`);
    const group = svg('g', {class: `edge ${kind}`, 'data-from': edge.from, 'data-to': edge.to, 'aria-hidden': 'true'},
      svg('path', {d: path.d, class: 'line'}), mark);
    if (edge.backs) return group;
    const width = edge.rate > 0 ? Math.min(5, 1.6 + Math.log10(1 + edge.rate)) : 1.4;
    group.querySelector('.line').setAttribute('stroke-width', width);
    if (kind !== 'idle') {
      // Two lines are above and below the edge; more are around it.
      const top = text.length > 2 ? 5 - ((text.length - 1) * font.line) / 2 : -6;
      const step = text.length > 2 ? font.line : 20;
      text.forEach((line, i) => group.append(svg('text', {x, y: y + top + i * step, 'text-anchor': 'middle', class: 'small'}, line)));
    }
    group.append(svg('path', {d: path.d, class: 'area'}),
      svg('title', {}, `${nameOf(edge.from)} → ${nameOf(edge.to)}: ${[...text, edge.mtls ? 'mTLS' : 'no mTLS', ...(edge.reasons ?? []).map(reasonOf)].join(' · ')}`));
    this.onChoice(group, () => this.choose(edge.from, edge.to));
    return group;
  }

  drawNode({node, lines, x, y, width, height}, target) {
    const sentence = sentenceOf(node, this.edges, target);
    const group = svg('g', {
      class: `node ${node.kind}${node.denied ? ' denied' : ''}`, tabindex: '0', role: 'button', 'aria-label': sentence, 'data-id': node.id, transform: `translate(${x - width / 2},${y - height / 2})`,
    }, svg('rect', {width, height}));
    const top = (height - (lines.name.length + lines.small.length) * font.line) / 2 + font.line - 4;
    [...lines.name, ...lines.small].forEach((line, i) => group.append(
      svg('text', {x: width / 2, y: top + i * font.line, 'text-anchor': 'middle', class: i < lines.name.length ? 'name' : 'small'}, line)));
    const focus = (on) => () => {
      this.canvas.classList.toggle('chosen', on);
      this.describe(on ? sentence : '');
      for (const other of this.canvas.querySelectorAll('.on')) other.classList.remove('on');
      if (!on) return;
      group.classList.add('on');
      for (const e of this.canvas.querySelectorAll('.edge')) {
        const ends = [target(e.dataset.from), target(e.dataset.to)];
        if (!ends.includes(node.id)) continue;
        e.classList.add('on');
        for (const end of ends) this.canvas.querySelector(`.node[data-id="${CSS.escape(end)}"]`)?.classList.add('on');
      }
    };
    for (const event of ['focus', 'mouseenter']) group.addEventListener(event, focus(true));
    for (const event of ['blur', 'mouseleave']) group.addEventListener(event, focus(false));
    if (node.kind !== 'outside') this.onChoice(group, () => this.choose(node.id, ''));
    return group;
  }
}

/** Describes a node for those who do not see the graph. */
function sentenceOf(node, edges, target) {
  const others = (own, other) => edges.filter((e) => target(e[own]) === node.id && !e.backs).map((e) => `${nameOf(e[other])} (${[...numbersOf(e), e.mtls ? 'mTLS' : 'no mTLS'].join(', ')})`);
  const parts = [`${node.kind} ${node.name}`];
  if (node.kind === 'workload') parts.push(linesOf(node).small.at(-1));
  const [sent, received] = [others('from', 'to'), others('to', 'from')];
  if (sent.length > 0) parts.push(`calls ${sent.join(', ')}`);
  if (received.length > 0) parts.push(`is called by ${received.join(', ')}`);
  return parts.join('; ');
}
