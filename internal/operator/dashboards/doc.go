// Package dashboards has the dashboards of a mesh, for Grafana and for Perses.
//
// Nothing flows in. Out flow dashboards as data, and their JSON for each of the two programs. The seven dashboards of Open Service Mesh
// keep their uids, titles and variables, so links to them and habits stay valid.
package dashboards
