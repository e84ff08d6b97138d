// Numbers, times and names as text.

export const rate = (v) => (v == null ? '–' : v >= 100 ? v.toFixed(0) : v > 0 && v < 0.05 ? v.toFixed(2) : v.toFixed(1));
export const share = (v) => (v == null ? '–' : `${(100 * v).toFixed(v === 1 || v === 0 ? 0 : 1)}%`);
export const milliseconds = (v) => (v == null ? '–' : v < 10 ? `${v.toFixed(1)} ms` : `${v.toFixed(0)} ms`);

/** Returns why something was denied. The sidecars write "no policy" if none allows it. */
export const reasonOf = (text) => (text === 'no policy' ? 'no policy allows it' : text);

/** Returns the name of a node. */
export const nameOf = (id) => id.slice(id.indexOf(':') + 1);

/** Classifies a share of successes. */
export const quality = (v) => (v == null ? 'none' : v >= 0.99 ? 'good' : v >= 0.95 ? 'poor' : 'bad');

/** Classifies an edge: denied, idle, or the quality of its responses. */
export const qualityOf = (e) => (e.denials > 0 ? 'denied' : e.rate === 0 ? 'idle' : quality(e.success));

/** Returns the numbers of an edge, each in words. */
export function numbersOf(e) {
  const numbers = [];
  if (e.denials > 0) numbers.push(e.denied > 0 ? `${rate(e.denied)}/s denied` : 'denied');
  if (e.rate > 0 || !(e.denials > 0)) {
    numbers.push(e.rate > 0 ? `${rate(e.rate)}/s` : 'idle');
    if (e.rate > 0 && e.success != null && e.success < 1) numbers.push(`${share(1 - e.success)} fail`);
  }
  if (e.p99 != null) numbers.push(`p99 ${milliseconds(e.p99)}`);
  return numbers;
}

/** Returns the time between two moments in its largest unit. */
export function span(from, to) {
  const seconds = Math.round((new Date(to) - new Date(from)) / 1000);
  const size = Math.abs(seconds);
  for (const [unit, length] of [['d', 86400], ['h', 3600], ['m', 60]]) {
    if (size >= 2 * length) return `${Math.trunc(seconds / length)}${unit}`;
  }
  return `${seconds}s`;
}

/** Returns the time until a certificate expires, with a warning if it should have been replaced. */
export function until(certificate, now) {
  const left = (new Date(certificate.end) - new Date(now)) / 1000;
  if (left <= 0) return {text: `expired ${span(certificate.end, now)} ago`, kind: 'bad'};
  return {text: `in ${span(now, certificate.end)}`, kind: left < certificate.warning ? 'poor' : 'good'};
}
