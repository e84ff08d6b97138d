// Package controlplane is osm-controller: it composes the control plane of one mesh. New makes the parts that need no API
// server, and Run waits for the API server, makes the others and runs all.
//
// A Config and the objects of the API server flow in. Out flow xDS, admission responses, conditions of policies, health
// endpoints and metrics.
package controlplane
