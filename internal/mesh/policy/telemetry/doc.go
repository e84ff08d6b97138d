// Package telemetry is all that the mesh knows about Telemetries: how they are read, which one is in force for a pod, what people are told about one, and
// which lines of the access log sidecars write and export for it.
//
// No folder of a kind imports another one.
package telemetry
