// Reads the state of the mesh every five seconds and shows it.

import {action, element, state, table} from './dom.js';
import {milliseconds, nameOf, quality, rate, reasonOf, share, span, until} from './format.js';
import {Graph, namespacesOf} from './graph.js';
import {hideRequests, showRequests} from './requests.js';

const interval = 5000;
const at = (id) => document.getElementById(id);
let latest = null;

/** Shows the requests of a choice in the graph or a table, and moves to them. */
function choose(from, to) {
  showRequests(from, to);
  at('requests').scrollIntoView({block: 'nearest'});
}

const graph = new Graph(at('graph-view'), at('graph'), {describe: (text) => { at('focus').textContent = text; }, choose});

const colours = {
  'up to date': 'good', behind: 'poor', rejecting: 'bad', 'not served': 'bad', 'not connected': 'bad', unknown: 'unknown',
  'in force': 'good', 'not in force': 'bad', passed: 'good', waiting: 'poor', failed: 'bad', True: 'good', False: 'bad', Unknown: 'unknown',
};
const coloured = (text) => state(text, colours[text] ?? 'unknown');
const worst = (text) => (colours[text] === 'bad' ? 0 : colours[text] === 'poor' ? 1 : 2);

function showHeader({mesh}) {
  document.title = `${mesh.name} · Open Service Mesh`;
  at('mesh-name').textContent = `Mesh ${mesh.name}`;
  at('ready').textContent = mesh.ready === 'True' ? 'ready' : mesh.reason || 'not ready';
  at('ready').className = `badge ${colours[mesh.ready] ?? 'unknown'}`;
  const mode = ({permissive, egress}) => [permissive ? 'permissive: every workload may call every other' : 'only what policies allow', egress ? 'egress open' : 'egress by policy'];
  at('summary').textContent = [mesh.version, `namespace ${mesh.namespace}`, ...(mesh.settings ? mode(mesh.settings) : ['settings unknown']),
    `${mesh.members.length} member namespace${mesh.members.length === 1 ? '' : 's'}`].filter(Boolean).join(' · ');
}

function showTiles(s) {
  const real = s.edges.filter((e) => !e.backs);
  const total = real.reduce((sum, e) => sum + e.rate, 0);
  const judged = real.filter((e) => e.success != null);
  const weight = judged.reduce((sum, e) => sum + e.rate, 0);
  const success = weight > 0 ? judged.reduce((sum, e) => sum + e.rate * e.success, 0) / weight : null;
  const podsOf = (list) => new Set(list.map((p) => `${p.namespace}/${p.pod}`)).size; // a pod can have two Envoys
  const sidecars = podsOf(s.sidecars);
  const current = sidecars - podsOf(s.sidecars.filter((p) => p.state !== 'up to date'));
  const idle = s.policies.filter((p) => p.state === 'not in force').length;
  const first = [...s.certificates].sort((a, b) => new Date(a.end) - new Date(b.end))[0];
  const tile = (value, text, kind = '') => element('div', {class: 'tile'}, element('b', {class: kind}, value), element('span', {}, text));
  const denied = s.edges.reduce((sum, e) => sum + (e.denied ?? 0), 0);
  const clients = s.nodes.filter((n) => n.denied).length;
  at('tiles').replaceChildren(
    tile(`${current} / ${sidecars}`, 'sidecars up to date', current === sidecars ? 'good' : 'poor'),
    tile(`${rate(total)}/s`, 'requests and connections'),
    tile(share(success), 'success', quality(success)),
    s.denials == null ? tile('–', 'denied: not reported by this version') :
      tile(clients > 0 ? `${rate(denied)}/s` : '0', clients > 0 ? `denied, of ${clients} client${clients === 1 ? '' : 's'}` : 'denied', clients > 0 ? 'bad' : ''),
    tile(String(s.policies.length - idle), idle > 0 ? `policies in force, ${idle} not` : 'policies in force', idle > 0 ? 'bad' : 'good'),
    first ? tile(until(first, s.at).text, `until the first certificate expires: ${first.kind}`, until(first, s.at).kind) : tile('–', 'certificates'));
}

function showTraffic(s) {
  const namespaces = namespacesOf(s.nodes);
  const choice = at('graph-namespace');
  if (JSON.stringify(namespaces) !== choice.dataset.names) {
    const {value} = choice;
    choice.replaceChildren(element('option', {value: ''}, 'all'), ...namespaces.map((n) => element('option', {value: n}, n)));
    choice.value = namespaces.includes(value) ? value : '';
    choice.dataset.names = JSON.stringify(namespaces);
  }
  at('sources').textContent = [...s.sources, s.latencies].filter(Boolean).join(' ');
  const hidden = graph.show(s.nodes, s.edges, {namespace: choice.value, idle: at('graph-idle').checked});
  if (hidden > 0) at('sources').textContent += ` The graph shows the busiest edges, ${hidden} are in the table only.`;
  at('edges-table').replaceChildren(...(s.latencies ? [element('p', {class: 'quiet'}, s.latencies)] : []), table('Traffic', [
    {title: 'From', cell: (e) => nameOf(e.from)}, {title: 'To', cell: (e) => nameOf(e.to)}, {title: 'Port', cell: (e) => e.port},
    {title: 'mTLS', cell: (e) => (e.mtls ? 'yes' : 'no')}, {title: 'Rate per second', number: true, cell: (e) => rate(e.rate)},
    {title: 'Success', number: true, cell: (e) => state(share(e.success), quality(e.success))},
    {title: 'p50', number: true, cell: (e) => milliseconds(e.p50)}, {title: 'p99', number: true, cell: (e) => milliseconds(e.p99)},
    {title: 'Denied per second', number: true, cell: (e) => (e.denials > 0 ? state(rate(e.denied), 'bad') : rate(0))},
    {title: 'Requests', cell: (e) => action('show', `Requests from ${nameOf(e.from)} to ${nameOf(e.to)}`, () => choose(e.from, e.to))},
  ], s.edges.filter((e) => !e.backs), 'No traffic in the last minute.'));
}

// clientOf names the client of a denial. At a server, nothing proves it.
const clientOf = (d) => (d.side === 'server' && d.client ? `${d.client}, as the server says` : d.client ?? 'no identity');

function showDenials(s) {
  const recent = (d) => d.rate > 0 || new Date(s.at) - new Date(d.last) < 60000;
  at('denials-table').replaceChildren(table('Denials', [
    {title: 'Client', cell: clientOf}, {title: 'Workload', cell: (d) => d.clientWorkload},
    {title: 'Destination', cell: (d) => d.service ?? d.server ?? d.address}, {title: 'Address', cell: (d) => d.address},
    {title: 'Denied by', cell: (d) => `sidecar of the ${d.side}`}, {title: 'Reason', wrap: true, cell: (d) => reasonOf(d.reason)},
    {title: 'Per second', number: true, cell: (d) => state(rate(d.rate), recent(d) ? 'bad' : 'quiet')},
    {title: 'Count', number: true, cell: (d) => `${d.atLeast ? 'at least ' : ''}${d.count}`}, {title: 'Last', tight: true, cell: (d) => `${span(d.last, s.at)} ago`},
  ], s.denials ?? [], s.denials == null ? 'The control plane does not report denials.' : 'Nothing was denied.'));
}

function showRollout({rollout}) {
  at('rollout').hidden = !rollout;
  if (!rollout) return;
  at('rollout-text').textContent = `${rollout.from || 'none'} → ${rollout.to}: ${rollout.phase}. ${rollout.message}`;
  at('rollout-progress').value = rollout.total > 0 ? (rollout.total - rollout.outdated) / rollout.total : 0;
  at('rollout-progress').setAttribute('aria-label', `${rollout.total - rollout.outdated} of ${rollout.total} sidecars have the new revision`);
}

function filtered(list, input) {
  const words = at(input).value.toLowerCase().split(/\s+/).filter(Boolean);
  return list.filter((item) => words.every((w) => Object.values(item).some((v) => String(v ?? '').toLowerCase().includes(w))));
}

function showSidecars(s) {
  const list = filtered(s.sidecars, 'sidecar-filter').sort((a, b) => worst(a.state) - worst(b.state));
  at('sidecars-table').replaceChildren(table('Sidecars', [
    {title: 'Namespace', cell: (p) => p.namespace}, {title: 'Pod', cell: (p) => (p.slot ? `${p.pod} (${p.slot})` : p.pod)}, {title: 'Service account', cell: (p) => p.serviceAccount},
    {title: 'State', wrap: true, cell: (p) => element('span', {}, coloured(p.state), p.text ? ` ${p.text}` : '')},
    {title: 'Lag', tight: true, number: true, cell: (p) => (p.behind ? span(p.behind, s.at) : '0s')},
    {title: 'Certificate', cell: (p) => p.certificateEnd && state(until({end: p.certificateEnd}, s.at).text, 'quiet')},
    {title: 'Revision', tight: true, cell: (p) => p.revision}, {title: 'Envoy', cell: (p) => p.envoy}, {title: 'Replica', cell: (p) => p.replica},
  ], list, s.sidecars.length === 0 ? 'No sidecars.' : 'No sidecar matches the filter.'));
}

function showPolicies(s) {
  const list = filtered(s.policies, 'policy-filter').sort((a, b) => worst(a.state) - worst(b.state));
  at('policies-table').replaceChildren(table('Policies', [
    {title: 'Kind', tight: true, cell: (p) => p.kind}, {title: 'Namespace', cell: (p) => p.namespace}, {title: 'Name', cell: (p) => p.name},
    {title: 'State', tight: true, cell: (p) => coloured(p.state)}, {title: 'Allowed per second', number: true, cell: (p) => rate(p.allowed)},
    {title: 'Denied per second', number: true, cell: (p) => rate(p.denied)}, {title: 'Message', wrap: true, cell: (p) => p.message},
  ], list, s.policies.length === 0 ? 'No policies.' : 'No policy matches the filter.'));
}

function showCertificates(s) {
  at('certificates-table').replaceChildren(table('Certificates', [
    {title: 'Kind', cell: (c) => (c.active ? `${c.kind}, active` : c.kind)}, {title: 'Subject', cell: (c) => c.subject},
    {title: 'Expires', tight: true, cell: (c) => state(until(c, s.at).text, until(c, s.at).kind)}, {title: 'Date', tight: true, cell: (c) => new Date(c.end).toISOString().slice(0, 16).replace('T', ' ')},
    {title: 'Sidecars', number: true, cell: (c) => String(c.holders)},
  ], s.certificates, 'The status of the Mesh has no certificates.'));
}

function showChanges(s) {
  const list = at('changes-all').checked ? s.changes : s.changes.filter((c) => c.policy);
  const result = (c) => {
    if (c.rejected > 0) return state(`${c.rejected} rejected`, 'bad');
    if (c.open > 0) return state(`${c.open} waiting`, 'poor');
    return c.sidecars > 0 ? state('acknowledged', 'good') : state('no sidecar needs it', 'quiet');
  };
  at('changes-table').replaceChildren(table('Changes', [
    {title: 'When', tight: true, cell: (c) => `${span(c.at, s.at)} ago`}, {title: 'Objects', wrap: true, cell: (c) => c.objects.join(', ')},
    {title: 'Sidecars', cell: (c) => (c.sidecars > 0 ? `${c.acknowledged} of ${c.sidecars} acknowledged` : '')},
    {title: 'Result', tight: true, cell: result},
    {title: 'Took', number: true, cell: (c) => milliseconds(c.seconds == null ? null : 1000 * c.seconds)},
  ], list.slice(0, 20), 'No changes of policies since the start of the control plane.'));
}

function show(s) {
  latest = s;
  at('problems').hidden = s.problems.length === 0;
  at('problems').replaceChildren(...s.problems.map((p) => element('li', {}, p)));
  for (const part of [showHeader, showTiles, showRollout, showTraffic, showDenials, showSidecars, showPolicies, showCertificates, showChanges]) part(s);
  at('conditions-table').replaceChildren(table('Conditions', [
    {title: 'Type', cell: (c) => c.type}, {title: 'Status', cell: (c) => c.status}, {title: 'Reason', cell: (c) => c.reason}, {title: 'Message', wrap: true, cell: (c) => c.message},
  ], s.mesh.conditions, 'The Mesh has no conditions.'));
  at('at').textContent = new Date(s.at).toLocaleTimeString();
  at('at').dateTime = s.at;
}

async function refresh() {
  try {
    const answer = await fetch('state');
    const content = await answer.json();
    if (!answer.ok) throw new Error(content.error);
    at('error').hidden = true;
    show(content);
    document.body.dataset.ready = 'true';
    document.body.dataset.reads = 1 + Number(document.body.dataset.reads ?? 0);
  } catch (error) {
    at('error').hidden = false;
    at('error').textContent = `The state of the mesh cannot be read: ${error.message}. ${latest ? 'The page shows the last one.' : ''} The next attempt is in ${interval / 1000} seconds.`;
  }
  setTimeout(refresh, interval);
}

for (const [input, part] of [['sidecar-filter', showSidecars], ['policy-filter', showPolicies], ['graph-namespace', showTraffic], ['graph-idle', showTraffic], ['changes-all', showChanges]]) {
  at(input).addEventListener('input', () => latest && part(latest));
}
at('zoom-in').addEventListener('click', () => graph.zoom(1));
at('zoom-out').addEventListener('click', () => graph.zoom(-1));
at('zoom-fit').addEventListener('click', () => graph.fit());
at('requests-close').addEventListener('click', hideRequests);
refresh();
