// Command osm-traffic-metrics serves SMI's TrafficMetrics of a mesh as an aggregated API of Kubernetes.
//
// Its input is the address of a Prometheus that scrapes the mesh, and requests that the API server forwards. Its output is
// metrics.smi-spec.io/v1alpha1.
package main
