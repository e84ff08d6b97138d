// Package dashboards has the dashboards of a mesh, for Grafana.
//
// Nothing flows in. Out flow dashboards as data, and their JSON. The seven dashboards of Open Service Mesh
// keep their uids, titles and variables, so links to them and habits stay valid.
package dashboards
