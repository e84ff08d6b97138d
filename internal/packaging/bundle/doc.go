// Package bundle renders the operator as a bundle for the Operator Lifecycle Manager (OLM), in its format registry+v1.
//
// The manifests of the operator, an icon, a description, samples and the images of a version flow in. The files of the bundle flow out: a
// ClusterServiceVersion, the other manifests, the metadata, a Dockerfile and the configuration of scorecard.
package bundle
