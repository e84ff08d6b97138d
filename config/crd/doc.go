// Package crd embeds the CustomResourceDefinitions of the project.
//
// The YAML files of this folder flow in: bases is generated from the types in api, smi and mcs are written by hand. The same bytes flow out as
// file systems. The operator installs the kinds of SMI where they are absent, and those of the Multi-Cluster Services API for meshes with a peer gateway.
// Tests install all kinds.
package crd
