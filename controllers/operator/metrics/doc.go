// Package metrics tells how meshes are on their way: the phase that each is in and since when, what the gates say, its sidecars, and what
// was done about them.
//
// In flow the status of Meshes, read from the cache when somebody asks, and what happens once: a verdict, a restart, an upgrade that
// ended. Out flow Prometheus metrics. Those of a Mesh that is gone are gone, too.
package metrics
