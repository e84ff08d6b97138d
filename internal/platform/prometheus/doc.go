// Package prometheus queries a Prometheus server for the ratio of failed requests.
//
// An address and a query flow in. One number flows out, or an error that explains why there is none. The package also builds the query for
// the metrics of sidecars.
package prometheus
