// Package grafana has the component that shows the dashboards of a mesh in Grafana.
//
// A Mesh and the dashboards flow in; the objects of one of three ways flow out: a server with its configuration, dashboards for a
// grafana-operator, or ConfigMaps that another Grafana collects.
package grafana
