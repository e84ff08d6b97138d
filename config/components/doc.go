// Package components contains tests of the kustomize components of the operator.
//
// Each folder is a component that a user adds to config/default, or to a kustomization of a mesh. The tests build all of them together with
// config/default, and compare the ports in NetworkPolicies with those of the manifests. docs/installation.md describes them.
package components
