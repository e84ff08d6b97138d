// Package envtest starts a real API server for a test.
//
// The folder that KUBEBUILDER_ASSETS names and definitions of kinds flow in; a configuration to reach the server flows out.
package envtest
