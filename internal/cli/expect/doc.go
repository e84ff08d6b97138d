// Package expect tests policies without a cluster: who may call whom, according to manifests.
//
// A mesh and expectations flow in; results flow out, for people and as JUnit's XML.
package expect
