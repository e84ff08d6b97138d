// Package prometheus asks a Prometheus how many requests fail.
//
// An address and a query flow in; one number flows out, the share of requests that fail, or a sentence about why there is none. The
// query that sidecars' own metrics are asked with is made here, too.
package prometheus
