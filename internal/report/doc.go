// Package report is what each replica of a mesh's control plane tells about the sidecars that are connected to it.
//
// Nothing flows in; types of JSON documents and the paths they are served under flow out: to report/server, which serves them,
// and report/client, which collects them from all replicas. A replica speaks for its own sidecars alone, so the whole mesh is
// the sum of all replicas, and unknown as long as one of them does not answer.
package report
