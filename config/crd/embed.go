package crd

import "embed"

// Own holds the definitions of the project's own kinds, one YAML document a file, in the folder bases.
//
//go:embed bases/*.yaml
var Own embed.FS

// SMI holds the definitions of the Service Mesh Interface kinds, one YAML document a file, in the folder smi.
//
//go:embed smi/*.yaml
var SMI embed.FS

// MCS holds the definitions of the Multi-Cluster Services API kinds, one YAML document a file, in the folder mcs.
//
//go:embed mcs/*.yaml
var MCS embed.FS
