// Package apply brings one object of the cluster to its rendered state, and writes only when something differs.
//
// In flow a rendered object and the cached live one; out flow at most one server-side apply under the operator's field manager, and
// what it changed. Fields that are not rendered belong to others and are never touched. A settled cluster sees no write at all.
package apply
