// Package prometheus runs a Prometheus server for a mesh, or connects the mesh to a prometheus-operator.
//
// A Mesh and its namespaces flow in. Out flow a Deployment with its generated configuration and its roles (Managed), or PodMonitors, a
// ServiceMonitor and a PrometheusRule (Monitors). The rules are in the package rules.
package prometheus
