// Package crd carries the CustomResourceDefinitions of the project inside programs.
//
// In flow the YAML files beside it: bases is generated from the types in api, smi is written by hand. Out flow
// the same bytes as file systems, for the operator, which installs the SMI kinds where they are absent, and for
// tests, which install all of them.
package crd
