// Command osm-injector adds sidecars to the pods of one mesh.
//
// Its input is flags, the webhook's certificate and the objects of the API server. Its output is admission responses, trust
// ConfigMaps, health endpoints and metrics.
package main
