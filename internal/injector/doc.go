// Package injector is osm-injector, which adds sidecars to the pods of one mesh. New makes the parts that need no API server, and
// Run waits for the API server, makes the others and runs all.
//
// A Config, the webhook's certificate and the objects of the API server flow in. Admission responses, trust ConfigMaps, health
// endpoints and metrics flow out.
package injector
