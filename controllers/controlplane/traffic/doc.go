// Package traffic defines the policy kinds of SMI and OSM that the mesh supports, and watches each of them once the cluster
// defines it.
//
// Its input is the API discovery of the cluster. Its output is Sources for a Feed. A kind that is not defined blocks
// nothing: the mesh works without it.
package traffic
