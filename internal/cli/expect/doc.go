// Package expect tests policies in manifests against expectations, without a cluster.
//
// A mesh and expectations flow in. Results flow out, as text and as JUnit XML.
package expect
