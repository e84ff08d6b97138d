// Shows the last requests of an edge or a node, and the trace of one of them.

import {action, element, state, table} from './dom.js';
import {milliseconds, nameOf, reasonOf} from './format.js';

const at = (id) => document.getElementById(id);
let opened = 0;

async function read(path, parameters) {
  const answer = await fetch(`${path}?${new URLSearchParams(parameters)}`);
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error);
  return content;
}

const time = (r) => new Date(r.time).toISOString().slice(11, 23);
const isBad = (e) => e.deniedBy || e.status >= 500 || (e.method && e.status === 0);
const status = (e) => state([e.method ? e.status || 'no response' : 'connection', e.flags].filter(Boolean).join(' '), isBad(e) ? 'bad' : e.status >= 400 ? 'poor' : 'good');
const what = (e) => (e.method ? `${e.method} ${e.path}` : e.address ? `connection to ${e.address}` : `TCP, ${e.bytesReceived} bytes received, ${e.bytesSent} sent`);
const why = (e) => (e.deniedBy === 'no policy' ? reasonOf(e.deniedBy) : e.deniedBy ? `denied by ${e.deniedBy}` : e.flags ? e.details ?? '' : '');

/** Reads and shows the requests from one node to another, or those of one node, and the trace of the latest one. */
export async function showRequests(from, to) {
  const turn = ++opened;
  const title = to ? `Requests from ${nameOf(from)} to ${nameOf(to)}` : `Requests of ${nameOf(from)}`;
  at('requests').hidden = false;
  at('requests-title').textContent = title;
  at('requests-note').textContent = 'Reading access logs …';
  at('requests-again').onclick = () => showRequests(from, to);
  at('trace').replaceChildren();
  try {
    const {requests, notes} = await read('requests', {from, to});
    if (turn !== opened) return;
    at('requests-note').textContent = ['The last requests of 10 minutes in access logs, the latest first.', ...notes].join(' ');
    at('requests-table').replaceChildren(table(title, [
      {title: 'Time (UTC)', tight: true, cell: time},
      to ? {title: 'Client pod', cell: (r) => (r.direction === 'outbound' ? r.pod : 'not logged')} : {title: 'Direction', cell: (r) => `${r.direction} ${r.peer ?? ''}`},
      to ? {title: 'Server pod', cell: (r) => (r.direction === 'outbound' ? r.server?.pod : r.pod) ?? 'not logged'} : {title: 'Pod', cell: (r) => r.pod},
      {title: 'Request', wrap: true, cell: what}, {title: 'Status', tight: true, cell: status}, {title: 'Reason', wrap: true, cell: (r) => why(r) || (r.server ? why(r.server) : '')},
      {title: 'Duration', number: true, cell: (r) => milliseconds(r.milliseconds)},
      ...(to ? [{title: 'At the server', number: true, cell: (r) => milliseconds(r.direction === 'outbound' ? r.server?.milliseconds : r.milliseconds)}] : []),
      {title: 'Trace', cell: (r) => (r.requestId ? action(r.requestId.slice(0, 8), `Trace of request ${r.requestId}`, () => showTrace(r.requestId)) : '')},
    ], requests, 'The access logs have no requests between them.'));
    const first = requests.find((r) => r.requestId);
    if (first) await showTrace(first.requestId);
  } catch (error) {
    if (turn === opened) at('requests-note').textContent = `The requests cannot be read: ${error.message}`;
  }
}

/** Hides the requests. */
export function hideRequests() {
  opened++;
  at('requests').hidden = true;
  at('requests-table').replaceChildren();
}

/** Shows what all sidecars logged about the requests with an identifier, as bars in time. */
async function showTrace(id) {
  const turn = opened;
  const note = element('p', {class: 'quiet'}, 'Reading the access logs of all workloads …');
  at('trace').replaceChildren(element('h4', {}, 'Trace of ', element('code', {}, id)), note);
  try {
    const {requests, notes} = await read('trace', {id});
    if (turn !== opened) return;
    note.textContent = ['Times from the access logs of all workloads. Applications join their requests by forwarding the header x-request-id.', ...notes].join(' ');
    const began = Math.min(...requests.map((r) => Date.parse(r.time)));
    const total = Math.max(1, ...requests.map((r) => Date.parse(r.time) - began + r.milliseconds));
    at('trace').append(table(`Trace of ${id}`, [
      {title: 'Workload', cell: (r) => r.account}, {title: 'Direction', cell: (r) => (r.direction === 'outbound' ? `sends to ${r.peer ?? ''}` : `receives from ${r.peer ?? ''}`)},
      {title: 'Request', wrap: true, cell: what}, {title: 'Status', tight: true, cell: status}, {title: 'Duration', number: true, cell: (r) => milliseconds(r.milliseconds)},
      {title: 'From its start', cell: (r) => bar((Date.parse(r.time) - began) / total, r.milliseconds / total, `${Date.parse(r.time) - began} ms`, isBad(r))},
    ], requests, 'No log has this request any more.'));
  } catch (error) {
    if (turn === opened) note.textContent = `The trace cannot be read: ${error.message}`;
  }
}

function bar(start, length, label, bad) {
  const piece = element('span', {class: bad ? 'span bad' : 'span'});
  piece.style.marginInlineStart = `${Math.min(96, 100 * start)}%`;
  piece.style.width = `${Math.max(2, Math.min(100 - 100 * start, 100 * length))}%`;
  return element('span', {class: 'bar', role: 'img', 'aria-label': `starts after ${label}`}, piece);
}
