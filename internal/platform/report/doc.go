// Package report defines the report API of control plane replicas about their connected sidecars.
//
// Nothing flows in. Types of JSON documents and URL paths flow out, to packages server and client. A replica only reports its own
// sidecars: the state of the mesh is the sum over all replicas, and unknown while one of them does not respond.
package report
