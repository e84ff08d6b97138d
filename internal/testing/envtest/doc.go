// Package envtest starts a real API server for a test.
//
// Its input is the directory in KUBEBUILDER_ASSETS and CustomResourceDefinitions. Its output is a client configuration.
package envtest
