package argocd

import _ "embed"

// Health is the Lua script for the kinds Mesh and MeshRevision of operator.openservicemesh.io.
//
//go:embed health.lua
var Health string
