// Package apply brings objects of the cluster to their rendered state, and writes only when something differs.
//
// It compares a rendered object with the cached live one, and sends at most one server-side apply under the operator's field manager.
// Fields that are not rendered belong to other managers and are not compared. Without differences there are no requests.
package apply
