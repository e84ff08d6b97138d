// Package trafficmetrics is the API of SMI's TrafficMetrics, metrics.smi-spec.io/v1alpha1.
//
// Requests that the API server forwards flow in, authorized, with their RequestInfo. The rates and latencies that Prometheus has of the
// sidecars flow out as TrafficMetrics: the same metrics that "osm stat" shows. The types are those of SMI's SDK.
package trafficmetrics
