// Package crd embeds the CustomResourceDefinitions of the project.
//
// The YAML files of this folder flow in: bases is generated from the types in api, smi is written by hand. The same bytes flow out as file
// systems. The operator installs the SMI kinds where they are absent. Tests install all kinds.
package crd
