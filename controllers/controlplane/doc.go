// Package controlplane carries what the API server says into the catalog of the running mesh.
//
// Watch events flow in; catalog changes flow out to a Sink, made by ingest. The sub-packages name the kinds: workloads,
// traffic and config; status carries what the mesh thinks of policies back to their objects. Nothing here decides anything,
// except whether a list that shows nothing is to be believed.
package controlplane
