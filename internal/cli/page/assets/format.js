// Numbers and times as text.

export const rate = (v) => (v == null ? '–' : v >= 100 ? v.toFixed(0) : v.toFixed(1));
export const share = (v) => (v == null ? '–' : `${(100 * v).toFixed(v === 1 ? 0 : 2)}%`);
export const milliseconds = (v) => (v == null ? '–' : v < 10 ? `${v.toFixed(1)} ms` : `${v.toFixed(0)} ms`);

/** Classifies a share of successes. */
export const quality = (v) => (v == null ? 'none' : v >= 0.99 ? 'good' : v >= 0.95 ? 'poor' : 'bad');

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
